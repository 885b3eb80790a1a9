/** Time that only passes: who sets the machine's clock does not move it. It is one process's own, counted from nowhere in particular. */
import { Clock, Effect } from "effect"

export const monotonicNanos: Effect.Effect<bigint> = Clock.clockWith((clock) => clock.monotonicTimeNanos)
/** Whole ones, so that sums and differences are exact: who waits until some time finds that it has come. */
export const monotonicMillis: Effect.Effect<number> = Effect.map(monotonicNanos, (nanos) => Number(nanos / 1_000_000n))
