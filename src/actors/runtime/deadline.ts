/** Waiting with a bound, also where interruption is masked. */
import { Effect } from "effect"

/** Runs `wait` in a fiber of its own and leaves it after `ms` (Infinity: never). True when it completed in time. */
export const within = (ms: number, wait: Effect.Effect<unknown>): Effect.Effect<boolean> =>
  ms === Infinity
    ? Effect.as(wait, true)
    : Effect.map(Effect.timeoutOption(Effect.interruptible(wait), ms), (result) => result._tag === "Some")
