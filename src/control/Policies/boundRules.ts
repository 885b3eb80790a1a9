/** Binds the names in a policy document to ids. Whatever cannot be bound is told all at once, each with its place in the document. */
import { Data, Effect, Option, Schema } from "effect"
import { SqlClient } from "effect/sql"
import type { SqlError } from "effect/sql/SqlError"
import { AliasName, parsePortRange, Port } from "../../domain/DnsLabel.ts"
import { AliasId, SandboxId } from "../../domain/Ids.ts"
import type { PolicyFile, PolicyRule } from "../../domain/PolicyFile.ts"
import type { AliasNotFound, InvalidPolicy, InvalidSelector, PortNotPublished, SandboxNotFound } from "../../domain/Problems.ts"
import { parseSelector, type Selector, Source, sourceText } from "../../domain/Selector.ts"
import { notPublished } from "../Aliases.ts"
import { betweenMachines, noSandboxBehind } from "../Rules/machines.ts"
import { Lookups, type NetworkRow } from "../Lookups.ts"
import type { BoundRule, RuleRow } from "../Rules/RuleStore.ts"
import { rows } from "../Store.ts"

const AliasPorts = Schema.Struct({ id: AliasId, name: AliasName, ports: Schema.Array(Port), localUser: Schema.NullOr(Schema.String) })
const Sandbox = Schema.Struct({ id: SandboxId, name: Schema.String })

type PolicyProblem = InvalidPolicy["errors"][number]

class Misplaced extends Data.TaggedError("Misplaced")<{ readonly problem: PolicyProblem }> {}

/** What the user can mend gets its place; the database's failures pass. */
const located = (path: PolicyProblem["path"]) =>
  Effect.mapError((error: SandboxNotFound | AliasNotFound | PortNotPublished | InvalidSelector | SqlError | Schema.SchemaError) =>
    "hint" in error ? new Misplaced({ problem: { path, message: `${error.detail} ${error.hint}` } }) : error)

/** Problems that one answer names; binding ends there, since each costs a look for what may have been meant. */
const mostProblems = 20

const boundTo = (source: Source): string | null => source._tag === "Sandbox" ? source.sandboxId : source._tag === "Alias" ? source.aliasId : null

/** What two rules have in common when they are the same. */
export const identity = ({ source, aliasId, first, last }: Pick<BoundRule, "source" | "aliasId" | "first" | "last">): string =>
  `${sourceText(source, boundTo(source))} ${aliasId}:${first}-${last}`
export const identityOf = ({ firstPort: first, lastPort: last, ...row }: RuleRow): string => identity({ ...row, first, last })

const selectorOf = ({ from }: PolicyRule): Selector => Option.getOrThrow(parseSelector(from))

export const makeBinder = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const lookups = yield* Lookups

  /** By name and by id; locked until the change is made, so that none of them goes meanwhile. */
  const sandboxesCalled = (refs: ReadonlyArray<string>) => Effect.map(
    refs.length === 0 ? Effect.succeed([]) : rows(Sandbox)(sql`select id, name from sandboxes where name in ${sql.in(refs)} or id in ${sql.in(refs)} order by id for share`),
    (found) => new Map<string, SandboxId>(found.flatMap(({ id, name }) => [[id, id], [name, id]] as const)))

  const aliasesOf = (network: NetworkRow) => Effect.map(
    rows(AliasPorts)(sql`select l.id, l.name, array(select p.port from alias_ports p where p.alias_id = l.id order by p.port) as ports, o.user_name as local_user
      from aliases l left join local_nodes o on o.id = l.local_node_id where l.network_id = ${network.id}`),
    (found) => new Map<string, typeof AliasPorts.Type>(found.map((alias) => [alias.name, alias])))

  /** Inside a change. `existing`: the rules that the network has, which may stay though nothing publishes their ports any more. */
  return Effect.fn("boundRules")(function*(network: NetworkRow, file: PolicyFile, existing: ReadonlyArray<RuleRow>) {
    const selectors = file.rules.map(selectorOf)
    const sandboxes = yield* sandboxesCalled([...new Set(selectors.flatMap((selector) => selector._tag === "Sandbox" ? [selector.ref] : []))])
    const aliases = yield* aliasesOf(network)
    const there = new Set(existing.map(identityOf))

    const sourceOf = Effect.fnUntraced(function*(selector: Selector) {
      switch (selector._tag) {
        case "Sandbox": return Source.make({ _tag: "Sandbox", sandboxId: sandboxes.get(selector.ref) ?? (yield* lookups.noSandbox(selector.ref)) })
        case "Alias": {
          const alias = aliases.get(selector.name) ?? (yield* lookups.noAlias(network, selector.name))
          return alias.localUser === null ? Source.make({ _tag: "Alias", aliasId: alias.id }) : yield* noSandboxBehind(alias)
        }
        default: return Source.make(selector)
      }
    })
    const bind = Effect.fnUntraced(function*({ to, ports, expiresAt, comment }: PolicyRule, at: number) {
      const source = yield* sourceOf(selectors[at]!).pipe(located(["rules", at, "from"]))
      const alias = aliases.get(to) ?? (yield* lookups.noAlias(network, to).pipe(located(["rules", at, "to"])))
      const impossible = betweenMachines(source, alias)
      if (impossible !== undefined) return yield* Effect.fail(impossible).pipe(located(["rules", at, "from"]))
      const { first, last } = parsePortRange(ports)!
      const rule: BoundRule = { source, aliasId: alias.id, first, last, expiresAt: expiresAt === undefined ? null : Date.parse(expiresAt), comment: comment ?? null }
      if (!there.has(identity(rule)) && !alias.ports.some((port) => first <= port && port <= last)) {
        return yield* Effect.fail(notPublished(network, alias, ports)).pipe(located(["rules", at, "ports"]))
      }
      return rule
    })

    const bound = new Map<string, BoundRule>()
    const places = new Map<string, number>()
    const problems: Array<PolicyProblem> = []
    for (const [at, written] of file.rules.entries()) {
      if (problems.length === mostProblems) break
      const rule = yield* bind(written, at).pipe(Effect.catchTag("Misplaced", ({ problem }) => Effect.sync(() => void problems.push(problem))))
      if (rule === undefined) continue
      const key = identity(rule)
      const same = places.get(key)
      if (same !== undefined) problems.push({ path: ["rules", at], message: `This is the same rule as number ${same + 1} of the document. Leave one of them out.` })
      places.set(key, at)
      bound.set(key, rule)
    }
    return { bound, problems }
  })
})
