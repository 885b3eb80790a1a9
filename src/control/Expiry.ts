/**
 * Takes rules out of the books when their time is over. The agents need no word of it: their permits end on time by themselves. This
 * makes the lists, the next topology and the audit log say so too.
 */
import { Clock, Context, Effect, Layer, Queue, Schedule, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { NetworkId } from "../domain/Ids.ts"
import { asPrincipal, Changes } from "./Changes.ts"
import { Lookups } from "./Lookups.ts"
import { Rules } from "./Rules.ts"
import { RuleStore } from "./Rules/RuleStore.ts"
import { now, rows, Time } from "./Store.ts"

/** The longest sleep: another replica may have stored a rule that ends sooner than any known here. */
const lookAgainMs = 60_000

const Overdue = Schema.Struct({ networkId: NetworkId })
const Next = Schema.Struct({ at: Schema.NullOr(Time) })

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const changes = yield* Changes
  const lookups = yield* Lookups
  const rules = yield* Rules
  const { deadlines } = yield* RuleStore

  /** Another replica may have been quicker: then nothing is left, and nothing is recorded. */
  const expireIn = (networkId: NetworkId) => changes.transaction(Effect.gen(function*() {
    const network = yield* lookups.lockNetwork(networkId)
    const over = yield* rules.expire(network)
    for (const [i, rule] of over.entries()) yield* changes.record({ ...network, version: network.version + i }, "rule.expire", rule)
  }))

  const expireAll = Effect.gen(function*() {
    const overdue = yield* rows(Overdue)(sql`select distinct network_id from rules where expires_at <= ${yield* now}`)
    yield* Effect.forEach(overdue, ({ networkId }) => expireIn(networkId), { discard: true })
  }).pipe(asPrincipal("the rule's end"))

  const untilNext = Effect.gen(function*() {
    const [next] = yield* rows(Next)(sql`select min(expires_at) as at from rules`)
    const left = next?.at ? Date.parse(next.at) - (yield* Clock.currentTimeMillis) : lookAgainMs
    yield* Effect.raceFirst(Effect.sleep(Math.min(Math.max(left, 0), lookAgainMs)), Queue.take(deadlines))
  })

  yield* Effect.forever(Effect.andThen(expireAll, untilNext)).pipe(
    Effect.tapError((error) => Effect.logWarning("Rules whose time is over could not be taken out; trying again. Their traffic has ended on time.", error)),
    Effect.retry(Schedule.spaced("1 second")),
    Effect.forkScoped
  )
})

export class Expiry extends Context.Service<Expiry, void>()("gstacks/control/Expiry") {
  static readonly layer = Layer.effectDiscard(make)
}
