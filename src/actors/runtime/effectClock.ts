/**
 * XState's clock on Effect's: `after` and delayed events sleep in fibers, so TestClock drives them.
 * `clear` ends every timer of one actor, also those that a crash left behind.
 */
import { Effect, type Fiber } from "effect"
import type { ActorOptions, AnyActorLogic } from "xstate"
import type { Host } from "./ActorSystem.ts"

type XStateClock = NonNullable<ActorOptions<AnyActorLogic>["clock"]>

export interface EffectClock extends XStateClock {
  readonly clear: () => void
}

export const effectClock = (host: Host): EffectClock => {
  const timers = new Map<number, Fiber.Fiber<void>>()
  let lastId = 0
  return {
    setTimeout: (run: (...args: Array<any>) => void, ms: number) => {
      const id = ++lastId
      const fire = Effect.sync(() => {
        timers.delete(id)
        run()
      })
      timers.set(id, host.fork(Effect.delay(fire, ms)))
      return id
    },
    clearTimeout: (id: number) => {
      timers.get(id)?.interruptUnsafe()
      timers.delete(id)
    },
    clear: () => {
      for (const fiber of timers.values()) fiber.interruptUnsafe()
      timers.clear()
    }
  }
}
