/**
 * The one way to change a network: one transaction that locks the network, runs the change, counts the version up, writes the
 * audit entry and notifies; whoever waits for commits hears of it right after. Either all of it is stored or nothing.
 */
import { Clock, Context, Effect, Layer, type Schema } from "effect"
import { SqlClient } from "effect/sql"
import type { Change } from "../domain/Receipt.ts"
import { Principal } from "../protocol/http/Authorization.ts"
import { Audit } from "./Audit.ts"
import { Lookups, type NetworkRow } from "./Lookups.ts"
import { News } from "./News.ts"
import { leavesInDoubt, stored } from "./Store.ts"

export interface Changed<A> { readonly value: A; readonly change: Change }

/** The action that ends a network. */
export const removal = "network.remove"

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const lookups = yield* Lookups
  const news = yield* News
  const audit = yield* Audit

  /** Inside a transaction that holds the network's lock. */
  const record = Effect.fn("Changes.record")(function*(network: NetworkRow, action: string, detail: Schema.Json) {
    const version = network.version + 1
    yield* sql`update networks set version = ${version} where id = ${network.id}`
    yield* news.tell({ _tag: "Committed", networkId: network.id, version, at: yield* Clock.currentTimeMillis, removed: action === removal })
    yield* audit.write(action, detail, { networkId: network.id, version })
    return { networkId: network.id, network: network.name, version } satisfies Change
  })

  /** A transaction that changes networks. */
  const transaction = <A, E, R>(change: Effect.Effect<A, E, R>) => Effect.tapError(sql.withTransaction(change), (error) => leavesInDoubt(error) ? news.doubt : Effect.void)

  return {
    record,
    transaction,
    apply: <A extends Schema.Json, E, R>(network: string, action: string, change: (network: NetworkRow) => Effect.Effect<A, E, R>) =>
      stored(transaction(Effect.gen(function*() {
        const row = yield* lookups.lockNetwork(network)
        const value = yield* change(row)
        return { value, change: yield* record(row, action, value) } satisfies Changed<A>
      }))).pipe(Effect.withSpan("Changes.apply", { attributes: { network, action } }))
  }
})

export class Changes extends Context.Service<Changes, Effect.Success<typeof make>>()("gstacks/control/Changes") {
  static readonly layer = Layer.effect(Changes, make)
}

/** Who stands behind changes that the control plane makes by itself, or on an agent's word. */
export const asPrincipal = (name: string) => Effect.provideService(Principal, { name })
