/** What reaches the process, whatever is run. XState rethrows what it cannot place from a timer. */
import { Effect } from "effect"

/** Lets timers run at the end, and collects what nobody caught. */
export const uncaughtBy = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const caught: Array<unknown> = []
    const collect = (error: unknown) => caught.push(error)
    const events = ["uncaughtException", "unhandledRejection"] as const
    const others = events.map((event) => process.listeners(event as "uncaughtException"))
    for (const event of events) process.removeAllListeners(event).on(event as "uncaughtException", collect)
    yield* effect
    yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 5)))
    events.forEach((event, i) => {
      process.removeAllListeners(event)
      others[i]!.forEach((listener) => process.on(event as "uncaughtException", listener))
    })
    return caught
  })
