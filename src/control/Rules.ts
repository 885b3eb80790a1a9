/**
 * Rules: which source may reach which alias and port. Names that a selector holds are looked up once and bound to ids, so that
 * a name created again starts with no rights; what a rule is bound to takes the rule along when it goes.
 */
import { Context, Effect, Layer, Option, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { AliasName, Port } from "../domain/DnsLabel.ts"
import { makeId, RuleId } from "../domain/Ids.ts"
import type { Rule } from "../domain/Network.ts"
import { InvalidSelector, RuleNotFound } from "../domain/Problems.ts"
import { parseSelector, selectorForms, Source } from "../domain/Selector.ts"
import { Principal } from "../protocol/http/Api.ts"
import { notPublished } from "./Aliases.ts"
import { Changes } from "./Changes.ts"
import { Lookups, type NetworkRow } from "./Lookups.ts"
import { now, rows, stored, Time } from "./Store.ts"

const Row = Schema.Struct({
  id: RuleId, source: Source, sourceName: Schema.NullOr(Schema.String), to: AliasName, port: Port, createdAt: Time, createdBy: Schema.String
})
type Row = typeof Row.Type

/** As the user wrote it, with today's name of what it is bound to. */
const written = (source: Source, name: string | null): string => {
  switch (source._tag) {
    case "Local": return "local"
    case "Any": return "any"
    case "Sandbox": return `sandbox:${name}`
    case "Alias": return `alias:${name}`
    case "Label": return `label:${source.key}=${source.value}`
  }
}
const view = ({ source, sourceName, ...row }: Row): Rule => ({ ...row, from: written(source, sourceName) })

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const lookups = yield* Lookups
  const changes = yield* Changes

  const select = sql`select r.id, r.source, coalesce(s.name, f.name) as source_name, l.name as "to", r.port, r.created_at, r.created_by
    from rules r join aliases l on l.id = r.alias_id left join sandboxes s on s.id = r.source_sandbox_id left join aliases f on f.id = r.source_alias_id`

  /** The bound form of a selector, in one network. */
  const bind = Effect.fn("Rules.bind")(function*(network: NetworkRow, text: string) {
    const selector = Option.getOrUndefined(parseSelector(text))
    if (selector === undefined) {
      return yield* new InvalidSelector({ detail: `"${text}" is no source selector.`, hint: `Write ${selectorForms}.` })
    }
    switch (selector._tag) {
      case "Sandbox": return Source.make({ _tag: "Sandbox", sandboxId: (yield* lookups.shareSandbox(selector.ref)).id })
      case "Alias": return Source.make({ _tag: "Alias", aliasId: (yield* lookups.alias(network, selector.name)).id })
      default: return Source.make(selector)
    }
  })

  return {
    bind: (network: NetworkRow, text: string) => stored(bind(network, text)),

    list: (ref: string) => stored(Effect.gen(function*() {
      const network = yield* lookups.network(ref)
      return (yield* rows(Row)(sql`${select} where r.network_id = ${network.id} order by r.id`)).map(view)
    })),

    /** Allowing again what is allowed answers the rule that says so. */
    allow: (ref: string, from: string, to: AliasName, port: Port) => changes.apply(ref, "rule.allow", Effect.fnUntraced(function*(network) {
      const source = yield* bind(network, from)
      const alias = yield* lookups.alias(network, to)
      const ports = yield* rows(Schema.Struct({ port: Port }))(sql`select port from alias_ports where alias_id = ${alias.id} order by port`)
      if (!ports.some((row) => row.port === port)) return yield* notPublished(network, { name: to, ports: ports.map((row) => row.port) }, port)
      const bound = yield* Schema.encodeEffect(Schema.fromJsonString(Source))(source)
      yield* sql`insert into rules (id, network_id, source, source_sandbox_id, source_alias_id, alias_id, port, created_at, created_by)
        values (${yield* makeId(RuleId, "rul")}, ${network.id}, ${bound}::jsonb, ${source._tag === "Sandbox" ? source.sandboxId : null},
          ${source._tag === "Alias" ? source.aliasId : null}, ${alias.id}, ${port}, ${yield* now}, ${(yield* Principal).name})
        on conflict do nothing`
      const [rule] = yield* rows(Row)(sql`${select} where r.network_id = ${network.id} and r.source = ${bound}::jsonb and r.alias_id = ${alias.id} and r.port = ${port}`)
      return view(rule!)
    })),

    revoke: (ref: string, id: string) => changes.apply(ref, "rule.revoke", Effect.fnUntraced(function*(network) {
      const [rule] = yield* rows(Row)(sql`${select} where r.network_id = ${network.id} and r.id = ${id}`)
      if (rule === undefined) {
        return yield* new RuleNotFound({ detail: `Network "${network.name}" has no rule "${id}".`, hint: `See the rules: gstacks network policy list ${network.name}` })
      }
      yield* sql`delete from rules where id = ${id}`
      return view(rule)
    }))
  }
})

export class Rules extends Context.Service<Rules, Effect.Success<typeof make>>()("gstacks/control/Rules") {
  static readonly layer = Layer.effect(Rules, make)
}
