/** Limits of streams on aliases and on sandboxes of a network; what has one takes it along when it goes. Agents get them with the topology. */
import { Context, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import type { AliasName } from "../domain/DnsLabel.ts"
import type { AliasId, NetworkId, SandboxId } from "../domain/Ids.ts"
import { Limit, type LimitTerms } from "../domain/Limit.ts"
import { InvalidRequest, LimitNotFound } from "../domain/Problems.ts"
import { notAttached } from "./Aliases.ts"
import { Changes } from "./Changes.ts"
import { Lookups, type NetworkRow } from "./Lookups.ts"
import { rows, stored } from "./Store.ts"

/** One of them. */
export interface On { readonly alias?: AliasName; readonly sandbox?: string }

interface Holder { readonly name: string; readonly aliasId: AliasId | null; readonly sandboxId: SandboxId | null }

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const lookups = yield* Lookups
  const changes = yield* Changes

  const find = (network: NetworkId, only?: Holder) => rows(Limit)(sql`
    select a.name as alias, s.name as sandbox, l.max_streams, l.max_per_second from limits l
      left join aliases a on a.id = l.alias_id left join sandboxes s on s.id = l.sandbox_id
    where l.network_id = ${network} ${only === undefined ? sql.literal("") : sql`and (l.alias_id = ${only.aliasId} or l.sandbox_id = ${only.sandboxId})`}
    order by a.name, s.name`)

  const holderOf = Effect.fnUntraced(function*(network: NetworkRow, { alias, sandbox }: On) {
    if (alias !== undefined && sandbox === undefined) {
      const { id, name } = yield* lookups.alias(network, alias)
      return { name: `alias "${name}"`, aliasId: id, sandboxId: null } satisfies Holder
    }
    if (sandbox === undefined || alias !== undefined) return yield* new InvalidRequest({ detail: "A limit is on an alias or on a sandbox.", hint: "Name one of them." })
    const row = yield* lookups.shareSandbox(sandbox)
    const [attached] = yield* rows(Schema.Struct({ one: Schema.Int }))(sql`select 1 as one from attachments where network_id = ${network.id} and sandbox_id = ${row.id}`)
    return attached === undefined ? yield* notAttached(network, row) : { name: `sandbox "${row.name}"`, aliasId: null, sandboxId: row.id } satisfies Holder
  })

  return {
    list: (ref: string) => stored(Effect.flatMap(lookups.network(ref), ({ id }) => find(id))),

    /** In place of the one that is there. */
    set: (ref: string, on: On, { maxPerSecond, maxStreams }: LimitTerms) => changes.apply(ref, "limit.set", Effect.fnUntraced(function*(network) {
      if (maxPerSecond === undefined && maxStreams === undefined) return yield* new InvalidRequest({ detail: "A limit without a number limits nothing.", hint: "Give streams at a time, new streams a second, or both." })
      const holder = yield* holderOf(network, on)
      yield* sql`delete from limits where network_id = ${network.id} and (alias_id = ${holder.aliasId} or sandbox_id = ${holder.sandboxId})`
      yield* sql`insert into limits ${sql.insert({
        network_id: network.id, alias_id: holder.aliasId, sandbox_id: holder.sandboxId, max_streams: maxStreams ?? null, max_per_second: maxPerSecond ?? null
      })}`
      return (yield* find(network.id, holder))[0]!
    })),

    clear: (ref: string, on: On) => changes.apply(ref, "limit.clear", Effect.fnUntraced(function*(network) {
      const holder = yield* holderOf(network, on)
      const [limit] = yield* find(network.id, holder)
      if (limit === undefined) return yield* new LimitNotFound({ detail: `The ${holder.name} has no limit in network "${network.name}".`, hint: `See the limits: gstacks network limit list ${network.name}` })
      yield* sql`delete from limits where network_id = ${network.id} and (alias_id = ${holder.aliasId} or sandbox_id = ${holder.sandboxId})`
      return limit
    }))
  }
})

export class Limits extends Context.Service<Limits, Effect.Success<typeof make>>()("gstacks/control/Limits") {
  static readonly layer = Layer.effect(Limits, make)
}
