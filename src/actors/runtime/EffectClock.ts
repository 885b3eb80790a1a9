/**
 * XState's clock on Effect's: `after` and delayed events sleep in fibers, so TestClock drives them.
 * XState cancels the timers of an actor when it stops or crashes.
 */
import { Effect, type Fiber } from "effect"
import type { ActorOptions, AnyActorLogic } from "xstate"
import type { Host } from "./ActorSystem.ts"

type XStateClock = NonNullable<ActorOptions<AnyActorLogic>["clock"]>

export class EffectClock implements XStateClock {
  readonly #host: Host
  // Most actors have no timer most of the time.
  #timers: Map<number, Fiber.Fiber<void>> | undefined = undefined
  #lastId = 0

  constructor(host: Host) {
    this.#host = host
  }

  get isIdle(): boolean {
    return this.#timers === undefined
  }

  setTimeout(run: (...args: Array<any>) => void, ms: number): number {
    const id = ++this.#lastId
    const fire = Effect.sync(() => {
      this.#forget(id)
      run()
    })
    this.#timers ??= new Map()
    this.#timers.set(id, this.#host.fork(Effect.delay(fire, ms)))
    return id
  }

  clearTimeout(id: number): void {
    this.#timers?.get(id)?.interruptUnsafe()
    this.#forget(id)
  }

  #forget(id: number): void {
    this.#timers?.delete(id)
    if (this.#timers?.size === 0) this.#timers = undefined
  }
}
