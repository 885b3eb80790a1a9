/**
 * How long ago the control plane was last known to be there, across restarts of the agent. What it said is good for an age limit
 * after that; then nothing new is granted until it is heard from again. It was there when the agent sent something that it answered:
 * what merely arrives may have waited here since before the machine slept.
 */
import { Clock, Context, Effect, Layer, Option, type Scope, Stream, SubscriptionRef } from "effect"
import { join } from "node:path"
import { contactState } from "../actors/machines/topology.ts"
import { type Contact, contactOf, isTooOld } from "../domain/Contact.ts"
import { Config } from "./Config.ts"
import { load, orDropped, store } from "./files.ts"
import { Knowledge } from "./Knowledge.ts"

/** Times are milliseconds since the epoch. */
export class Freshness extends Context.Service<Freshness, {
  /** Holds for as long as the caller's scope, which a connection that has gone silent ends within seconds. `since`: when it was dialled. */
  readonly inTouch: (since: number) => Effect.Effect<void, never, Scope.Scope>
  /** It has answered what was sent at `sentAt`. */
  readonly answered: (sentAt: number) => Effect.Effect<void>
  readonly untilStale: Effect.Effect<void>
  readonly untilFresh: Effect.Effect<void>
  readonly contact: Effect.Effect<Contact>
}>()("gstacks/agent/Freshness") {
  static readonly layer = Layer.effect(Freshness, Effect.suspend(() => make()))
}

/** Timers stand still while the machine is suspended: the clock on the wall is looked at this often at least. */
const longestSleepMs = 30_000

const make = Effect.fnUntraced(function*() {
  const config = yield* Config
  const knowledge = yield* Knowledge
  const path = join(config.stateDir, "contact.json")
  const saved = yield* orDropped(load(path, contactState))
  const online = yield* SubscriptionRef.make(false)
  const now = Clock.currentTimeMillis
  const limitMs = config.topologyMaxAgeMs
  let last = Option.match(saved, { onNone: () => 0, onSome: (file) => file.lastContact })

  const answered = (sentAt: number) => Effect.sync(() => { last = sentAt })
  const save = Effect.suspend(() => store(path, contactState, { lastContact: last })).pipe(Effect.catch((error) => Effect.logWarning(error.message)))
  const come = (since: number) => answered(since).pipe(
    Effect.andThen(SubscriptionRef.set(online, true)),
    Effect.andThen(Effect.sync(() => { knowledge.stale = false })),
    Effect.andThen(save))
  const gone = Effect.andThen(SubscriptionRef.set(online, false), save)

  knowledge.stale = isTooOld(last, limitMs, yield* now)

  const until = (isOnline: boolean) => Stream.runDrain(Stream.take(Stream.filter(SubscriptionRef.changes(online), (current) => current === isOnline), 1))
  const untilTooOld = Effect.gen(function*() {
    // Once that much time has passed it is too old, whatever the clock says by then.
    let leftMs = last + limitMs - (yield* now)
    while (leftMs > 0 && !isTooOld(last, limitMs, yield* now)) {
      const sleepMs = Math.min(leftMs, longestSleepMs)
      yield* Effect.sleep(sleepMs)
      leftMs -= sleepMs
    }
  })
  const untilStale: Effect.Effect<void> = Effect.gen(function*() {
    yield* until(false)
    yield* Effect.raceFirst(until(true), untilTooOld)
    if (SubscriptionRef.getUnsafe(online)) return yield* untilStale
    knowledge.stale = true
  })

  return Freshness.of({
    inTouch: Effect.fnUntraced(function*(since) {
      yield* Effect.acquireRelease(come(since), () => gone)
      yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep("1 minute"), save)))
    }),
    answered,
    untilStale,
    untilFresh: until(true),
    contact: Effect.gen(function*() {
      return contactOf({ inTouch: SubscriptionRef.getUnsafe(online), last, limitMs }, yield* now)
    })
  })
})
