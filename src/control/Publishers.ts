/** Which users may publish ports of their joined machines, network by network: nobody, until somebody says so. */
import { Context, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import type { NetworkId } from "../domain/Ids.ts"
import { PublisherNotFound, PublishingNotAllowed } from "../domain/Problems.ts"
import { Publisher } from "../domain/Publication.ts"
import { Principal } from "../protocol/http/Authorization.ts"
import { Aliases } from "./Aliases.ts"
import { Changes } from "./Changes.ts"
import { Lookups, type NetworkRow } from "./Lookups.ts"
import { now, rows, stored, Time } from "./Store.ts"

const Row = Schema.Struct({ ...Publisher.fields, allowedAt: Time })

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const aliases = yield* Aliases
  const changes = yield* Changes
  const lookups = yield* Lookups

  const select = sql`select user_name as "user", allowed_at, allowed_by from publishers`
  const find = (network: NetworkId, user: string) => Effect.map(rows(Row)(sql`${select} where network_id = ${network} and user_name = ${user}`), ([found]) => found)

  return {
    list: (ref: string) => stored(Effect.flatMap(lookups.network(ref), ({ id }) => rows(Row)(sql`${select} where network_id = ${id} order by user_name`))),

    /** Allowing again changes nothing of it. */
    allow: (ref: string, user: string) => changes.apply(ref, "publisher.allow", Effect.fnUntraced(function*(network) {
      yield* sql`insert into publishers (network_id, user_name, allowed_at, allowed_by)
        values (${network.id}, ${user}, ${yield* now}, ${(yield* Principal).name}) on conflict do nothing`
      return (yield* find(network.id, user))!
    })),

    /** Ends what the user publishes there. */
    revoke: (ref: string, user: string) => changes.apply(ref, "publisher.revoke", Effect.fnUntraced(function*(network) {
      const publisher = yield* find(network.id, user)
      if (publisher === undefined) {
        return yield* new PublisherNotFound({ detail: `${user} is no publisher of network "${network.name}".`, hint: `See them: gstacks network publisher list ${network.name}` })
      }
      yield* sql`delete from publishers where network_id = ${network.id} and user_name = ${user}`
      yield* aliases.endLocal(network, `${user} is a publisher no more`, { user })
      return publisher
    })),

    /** Inside a change of the network. */
    require: Effect.fn("Publishers.require")(function*(network: NetworkRow, user: string) {
      if ((yield* find(network.id, user)) === undefined) {
        return yield* new PublishingNotAllowed({
          detail: `${user} may join network "${network.name}", but may not publish in it.`, hint: `Have it allowed: gstacks network publisher allow ${network.name} ${user}`
        })
      }
    })
  }
})

export class Publishers extends Context.Service<Publishers, Effect.Success<typeof make>>()("gstacks/control/Publishers") {
  static readonly layer = Layer.effect(Publishers, make)
}
