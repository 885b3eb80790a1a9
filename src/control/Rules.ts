/**
 * Rules: which source may reach which ports of an alias, and until when. Names that a selector holds are looked up once and bound to
 * ids, so that a name created again starts with no rights; what a rule is bound to takes the rule along when it goes.
 */
import { Clock, Context, Effect, Layer, Option, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { type AliasName, Port, type PortRange, portRangeText } from "../domain/DnsLabel.ts"
import { InvalidRequest, InvalidSelector, RuleNotFound } from "../domain/Problems.ts"
import { parseSelector, selectorForms, Source } from "../domain/Selector.ts"
import { notPublished } from "./Aliases.ts"
import { Changes } from "./Changes.ts"
import { Lookups, type NetworkRow } from "./Lookups.ts"
import { betweenMachines, noSandboxBehind } from "./Rules/machines.ts"
import { RuleStore, toRule } from "./Rules/RuleStore.ts"
import { rows, stored } from "./Store.ts"

/** What a rule may have besides its source and target. */
export interface Terms { readonly forSeconds?: number; readonly comment?: string }

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const lookups = yield* Lookups
  const changes = yield* Changes
  const store = yield* RuleStore

  /** The bound form of a selector, in one network. */
  const bind = Effect.fn("Rules.bind")(function*(network: NetworkRow, text: string) {
    const selector = Option.getOrUndefined(parseSelector(text))
    if (selector === undefined) {
      return yield* new InvalidSelector({ detail: `"${text}" is no source selector.`, hint: `Write ${selectorForms}.` })
    }
    switch (selector._tag) {
      case "Sandbox": return Source.make({ _tag: "Sandbox", sandboxId: (yield* lookups.shareSandbox(selector.ref)).id })
      case "Alias": {
        const alias = yield* lookups.alias(network, selector.name)
        return alias.localUser === null ? Source.make({ _tag: "Alias", aliasId: alias.id }) : yield* noSandboxBehind(alias)
      }
      default: return Source.make(selector)
    }
  })

  return {
    bind: (network: NetworkRow, text: string) => stored(bind(network, text)),

    list: (ref: string) => stored(Effect.gen(function*() {
      const network = yield* lookups.network(ref)
      return (yield* store.of(network.id)).map(toRule)
    })),

    /** Allowing again what is allowed answers the same rule, with the new end and comment. */
    allow: (ref: string, from: string, to: AliasName, ports: PortRange, terms: Terms = {}) => changes.apply(ref, "rule.allow", Effect.fnUntraced(function*(network) {
      const { first, last } = ports
      if (first > last) return yield* new InvalidRequest({ detail: `The range of ports ends (${last}) before it begins (${first}).`, hint: "Give the lower port first." })
      const source = yield* bind(network, from)
      const alias = yield* lookups.alias(network, to)
      const impossible = betweenMachines(source, alias)
      if (impossible !== undefined) return yield* impossible
      const published = yield* rows(Schema.Struct({ port: Port }))(sql`select port from alias_ports where alias_id = ${alias.id} order by port`)
      if (!published.some(({ port }) => first <= port && port <= last)) {
        return yield* notPublished(network, { name: to, ports: published.map((row) => row.port) }, portRangeText(ports))
      }
      const expiresAt = terms.forSeconds === undefined ? null : (yield* Clock.currentTimeMillis) + terms.forSeconds * 1000
      const [id] = yield* store.put(network.id, [{ source, aliasId: alias.id, first, last, expiresAt, comment: terms.comment ?? null }])
      return toRule((yield* store.one(network.id, id!))!)
    })),

    revoke: (ref: string, id: string) => changes.apply(ref, "rule.revoke", Effect.fnUntraced(function*(network) {
      const rule = yield* store.one(network.id, id)
      if (rule === undefined) {
        return yield* new RuleNotFound({ detail: `Network "${network.name}" has no rule "${id}".`, hint: `See the rules: gstacks network policy list ${network.name}` })
      }
      yield* store.remove([rule.id])
      return toRule(rule)
    })),

    /** Inside a transaction that holds the network's lock: takes out the rules whose time is over, and tells which. */
    expire: Effect.fn("Rules.expire")(function*(network: NetworkRow) {
      const over = yield* store.overdue(network.id)
      yield* store.remove(over.map(({ id }) => id))
      return over.map(toRule)
    })
  }
})

export class Rules extends Context.Service<Rules, Effect.Success<typeof make>>()("gstacks/control/Rules") {
  static readonly layer = Layer.effect(Rules, make)
}
