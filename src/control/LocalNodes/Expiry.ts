/**
 * Ends the joins of machines that are gone without a word, those that nobody renewed in time, and what machines published until now. The agents end what rested on them by
 * themselves when the time is over; this makes the lists, the mesh and the audit log say so, and does not wait that long.
 */
import { Context, Effect, Layer, Schedule } from "effect"
import { asPrincipal } from "../Changes.ts"
import { LocalNodes } from "../LocalNodes.ts"
import { Publications } from "../Publications.ts"
import { now } from "../Store.ts"

/** A machine says that it is there twice a minute. Those that sleep longer join again when they wake up. */
export const silenceMs = 3 * 60_000
const lookEvery = "15 seconds"

const make = Effect.gen(function*() {
  const localNodes = yield* LocalNodes
  const publications = yield* Publications
  const started = yield* now

  /** While this process was away nobody could renew anything. */
  const look = Effect.gen(function*() {
    const silentSince = new Date((yield* now).getTime() - silenceMs)
    yield* localNodes.expire(silentSince < started ? new Date(0) : silentSince)
    yield* publications.expire
  }).pipe(asPrincipal("the join's end"))

  yield* Effect.repeat(look, Schedule.spaced(lookEvery)).pipe(
    Effect.tapError((error) => Effect.logWarning("Joined machines that are gone could not be taken out; trying again.", error)),
    Effect.retry(Schedule.spaced("1 second")),
    Effect.forkScoped
  )
})

export class LocalNodeExpiry extends Context.Service<LocalNodeExpiry, void>()("gstacks/control/LocalNodeExpiry") {
  static readonly layer = Layer.effectDiscard(make)
}
