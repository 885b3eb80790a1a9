/** Ports of joined machines, published as aliases: by their own users, if those are publishers of the network, and until a time. */
import { Clock, Context, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import type { AliasName, Port } from "../domain/DnsLabel.ts"
import { AliasId, type MachineId, NetworkId } from "../domain/Ids.ts"
import { AliasNotFound, LocalNodeNotFound, PublishedFromMachine, TooManyPublished } from "../domain/Problems.ts"
import { mostPerUser } from "../domain/Publication.ts"
import { Aliases } from "./Aliases.ts"
import { Changes } from "./Changes.ts"
import { LocalNodes } from "./LocalNodes.ts"
import { Lookups } from "./Lookups.ts"
import { Publishers } from "./Publishers.ts"
import { now, rows, stored } from "./Store.ts"

/** The machine that asks: the id of its join, and its own. */
export interface From { readonly id: string; readonly machine: MachineId }
export interface Wish { readonly alias: AliasName; readonly port: Port; readonly forSeconds: number }

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const aliases = yield* Aliases
  const changes = yield* Changes
  const localNodes = yield* LocalNodes
  const lookups = yield* Lookups
  const publishers = yield* Publishers

  const others = (user: string, network: NetworkId, name: string) => Effect.map(
    rows(Schema.Struct({ count: Schema.Int }))(sql`select count(*)::int as count from aliases l join local_nodes o on o.id = l.local_node_id
      where o.user_name = ${user} and not (l.network_id = ${network} and l.name = ${name})`), ([row]) => row!.count)

  return {
    /** Publishing again puts the end off, or forward. */
    publish: (ref: string, from: From, { alias: name, port, forSeconds }: Wish) => changes.apply(ref, "local.publish", Effect.fnUntraced(function*(network) {
      const { id, user, nodeId } = yield* localNodes.own(network, from.id, from.machine)
      if (nodeId === null) return yield* new LocalNodeNotFound({ detail: `The join ${id} of network "${network.name}" has no node yet.`, hint: "Try again in a moment; see gstacks mesh status" })
      yield* publishers.require(network, user)
      if ((yield* others(user, network.id, name)) >= mostPerUser) {
        return yield* new TooManyPublished({ detail: `${user} publishes ${mostPerUser} ports already.`, hint: "End one that is not needed: gstacks mesh unpublish <network> <alias>" })
      }
      const alias = yield* aliases.publishFrom(network, id, name, port, new Date((yield* Clock.currentTimeMillis) + forSeconds * 1000))
      if (alias.ports.length === 1) return alias
      return yield* new PublishedFromMachine({
        detail: `This machine publishes ${name} already, with port ${alias.ports.find((published) => published !== port)}, and one port is what such an alias has.`,
        hint: `End that first: gstacks mesh unpublish ${network.name} ${name}`
      })
    })),

    unpublish: (ref: string, from: From, name: string) => changes.apply(ref, "local.unpublish", Effect.fnUntraced(function*(network) {
      const { id } = yield* localNodes.own(network, from.id, from.machine)
      const alias = yield* aliases.find(network, name)
      if (alias.local?.id !== id) {
        return yield* new AliasNotFound({ detail: `This machine does not publish "${name}" in network "${network.name}".`, hint: "See what it does: gstacks mesh status" })
      }
      yield* aliases.drop(network, [alias.id], `alias "${name}" was unpublished`)
      return alias
    })),

    /** Takes out those whose time is over. The agents need no word of it. */
    expire: Effect.gen(function*() {
      const overdue = yield* stored(rows(Overdue)(sql`select l.id, l.network_id, l.name from aliases l where l.expires_at <= ${yield* now}`))
      yield* Effect.forEach(overdue, ({ id, networkId, name }) => changes.apply(networkId, "local.unpublish", Effect.fnUntraced(function*(network) {
        const alias = yield* aliases.find(network, name)
        if (alias.id !== id || alias.local === null || Date.parse(alias.local.expiresAt) > (yield* Clock.currentTimeMillis)) return yield* lookups.noAlias(network, name)
        yield* aliases.drop(network, [id], `alias "${name}" was published until then`)
        return alias
      })).pipe(Effect.catchTags({ AliasNotFound: () => Effect.void, NetworkNotFound: () => Effect.void })), { discard: true })
    }).pipe(Effect.withSpan("Publications.expire"))
  }
})

const Overdue = Schema.Struct({ id: AliasId, networkId: NetworkId, name: Schema.String })

export class Publications extends Context.Service<Publications, Effect.Success<typeof make>>()("gstacks/control/Publications") {
  static readonly layer = Layer.effect(Publications, make)
}
