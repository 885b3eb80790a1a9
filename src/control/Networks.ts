/** Networks: create, list, show, remove. A removed network's row stays, so that its last version can still be acknowledged. */
import { Context, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { networkSuffix, type NetworkName, reservedNetworks } from "../domain/DnsLabel.ts"
import { makeId, NetworkId } from "../domain/Ids.ts"
import { Network, type TrafficMode } from "../domain/Network.ts"
import { ModeNotSupported, NetworkExists, NetworkNotEmpty, ReservedNetwork } from "../domain/Problems.ts"
import { Aliases } from "./Aliases.ts"
import { Attachments } from "./Attachments.ts"
import { Changes, removal } from "./Changes.ts"
import { Lookups, NetworkRow } from "./Lookups.ts"
import { now, rows, stored } from "./Store.ts"

const Counted = Schema.Struct({ ...NetworkRow.fields, attachments: Schema.Int, aliases: Schema.Int, rules: Schema.Int })
const view = (row: typeof Counted.Type): Network => ({ ...row, suffix: networkSuffix(row.name) })

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const lookups = yield* Lookups
  const changes = yield* Changes
  const aliases = yield* Aliases
  const attachments = yield* Attachments

  const counted = sql`select n.id, n.name, n.mode, n.version, n.created_at,
    (select count(*)::int from attachments t where t.network_id = n.id) as attachments,
    (select count(*)::int from aliases l where l.network_id = n.id) as aliases,
    (select count(*)::int from rules r where r.network_id = n.id) as rules
    from networks n where n.deleted_at is null`

  return {
    list: stored(Effect.map(rows(Counted)(sql`${counted} order by n.name`), (all) => all.map(view))),

    show: (ref: string) => stored(Effect.gen(function*() {
      const [row] = yield* rows(Counted)(sql`${counted} and (n.name = ${ref} or n.id = ${ref})`)
      return row === undefined ? yield* lookups.noNetwork(ref) : view(row)
    })),

    create: (name: NetworkName, mode: TrafficMode) => stored(changes.transaction(Effect.gen(function*() {
      if (mode !== "agent_proxy") {
        return yield* new ModeNotSupported({ detail: `The traffic mode "${mode}" is not supported yet.`, hint: "Use agent_proxy, the default." })
      }
      if (reservedNetworks.has(name)) {
        return yield* new ReservedNetwork({ detail: `"${name}" is the cluster's own plane and cannot be a network.`, hint: "Choose another name." })
      }
      const id = yield* makeId(NetworkId, "net")
      const at = yield* now
      const inserted = yield* sql`insert into networks (id, name, mode, version, created_at)
        values (${id}, ${name}, ${mode}, 0, ${at}) on conflict (name) where deleted_at is null do nothing returning id`
      if (inserted.length === 0) {
        return yield* new NetworkExists({ detail: `There is a network "${name}" already.`, hint: `See it: gstacks network show ${name}` })
      }
      const row: NetworkRow = { id, name, mode, version: 0, createdAt: at.toISOString() }
      const change = yield* changes.record(row, "network.create", { name, mode })
      return { value: view({ ...row, version: change.version, attachments: 0, aliases: 0, rules: 0 }), change }
    }))),

    remove: (ref: string, cascade: boolean) => changes.apply(ref, removal, Effect.fnUntraced(function*(network) {
      const [row] = yield* rows(Counted)(sql`${counted} and n.id = ${network.id}`)
      if (row!.attachments + row!.aliases > 0 && !cascade) {
        return yield* new NetworkNotEmpty({
          detail: `Network "${network.name}" has ${row!.attachments} attached sandbox(es) and ${row!.aliases} alias(es).`,
          hint: `Detach them first, or remove all of it: gstacks network delete ${network.name} --cascade`
        })
      }
      const because = `network "${network.name}" was deleted`
      yield* aliases.endLocal(network, because)
      yield* attachments.removeAll(network, because)
      yield* sql`update networks set deleted_at = ${yield* now} where id = ${network.id}`
      return view({ ...row!, version: network.version + 1 })
    }))
  }
})

export class Networks extends Context.Service<Networks, Effect.Success<typeof make>>()("gstacks/control/Networks") {
  static readonly layer = Layer.effect(Networks, make)
}
