/**
 * Which Effects run on behalf of which machine. The bridge adds each fiber that it forks; when the
 * machine stops or crashes, the runtime interrupts them all and waits until their finalizers ran.
 */
import { Cause, Effect, Fiber } from "effect"
import type { ActorSystem } from "xstate"

export class Invocations {
  /** Hears of what no machine can: finalizers that failed when theirs had left, subscribers that threw. */
  readonly noteContained: (error: unknown) => void
  #fibers: Set<Fiber.Fiber<unknown, unknown>> | undefined = undefined

  constructor(noteContained: (error: unknown) => void) {
    this.noteContained = noteContained
  }

  add(fiber: Fiber.Fiber<unknown, unknown>): void {
    this.#fibers ??= new Set()
    this.#fibers.add(fiber)
    fiber.addObserver((exit) => {
      this.#fibers?.delete(fiber)
      if (exit._tag === "Failure" && Cause.hasInterrupts(exit.cause) && Cause.hasDies(exit.cause)) {
        this.noteContained(Cause.squash(exit.cause))
      }
    })
  }

  get size(): number {
    return this.#fibers?.size ?? 0
  }

  interrupt(): void {
    for (const fiber of this.#fibers ?? []) fiber.interruptUnsafe()
  }

  get awaitAll(): Effect.Effect<void> {
    return Effect.asVoid(Fiber.awaitAll([...this.#fibers ?? []]))
  }
}

export type XStateSystem = ActorSystem<any>

/** An XState system is one supervised machine with all that it invokes. */
const bySystem = new WeakMap<XStateSystem, Invocations>()

export const attachInvocations = (system: XStateSystem, invocations: Invocations): void => {
  bySystem.set(system, invocations)
}

/** Undefined for an actor that runs without this runtime. */
export const invocationsOf = (system: XStateSystem): Invocations | undefined => bySystem.get(system)
