/** Processor time and memory of this process. Times on a shared machine say little, the work that was done says more. */
import { Effect } from "effect"

/** Milliseconds of processor time, garbage collection included. */
export const processorTime = (work: Effect.Effect<unknown>): Effect.Effect<number> => Effect.gen(function*() {
  const before = process.cpuUsage()
  yield* work
  const { system, user } = process.cpuUsage(before)
  return (system + user) / 1000
})

/** Live bytes. Needs --expose-gc. */
export const liveBytes = (): number => {
  globalThis.gc!()
  globalThis.gc!()
  return process.memoryUsage().heapUsed
}
