/**
 * One life of an operating system's process: the services that everything in it runs with, and its end. When it is told to stop,
 * its finalizers run; when it is killed they run too, since fibers cannot just vanish, but nothing that they do is seen by anyone.
 */
import { Clock, Context, Effect, Exit, Logger, Metric, Random, References, Scheduler, Scope } from "effect"
import type { Journal } from "./Journal.ts"
import { type Draw, randomService } from "./random.ts"
import type { Time } from "./Time.ts"

export interface Surroundings { readonly time: Time; readonly journal: Journal; readonly draw: Draw; readonly fibers: Fibers }

/** How many fibers run. */
export class Fibers {
  running = 0
  readonly metrics: Metric.FiberRuntimeMetricsService = {
    recordFiberStart: () => { this.running++ },
    recordFiberEnd: () => { this.running-- }
  }
}

const firstLine = (message: unknown): string => String(Array.isArray(message) ? message[0] : message).split("\n")[0]!

export class Process {
  isAlive = true
  #isStopping = false
  readonly name: string
  readonly #scope = Scope.makeUnsafe()
  readonly #references: Context.Context<never>
  readonly #onEnd: Array<() => void> = []

  constructor(name: string, around: Surroundings, skew?: () => number) {
    this.name = name
    const log = Logger.make(({ logLevel, message }) => {
      if (this.isAlive) around.journal.note(name, `log ${logLevel} ${firstLine(message)}`)
    })
    this.#references = Context.mergeAll(
      Context.make(Clock.Clock, around.time.clock(skew)),
      Context.make(Scheduler.Scheduler, around.time.scheduler),
      Context.make(Random.Random, randomService(around.draw)),
      Context.make(Logger.CurrentLoggers, new Set([log])),
      Context.make(References.MinimumLogLevel, "Warn"),
      Context.make(Metric.FiberRuntimeMetrics, around.fibers.metrics)
    )
  }

  /** What holds the process to the world outside: undone at its end, before anything else. */
  onEnd(undo: () => void): void { this.#onEnd.push(undo) }

  /** Runs it until it ends, or the process does; calls back when it ended by itself. */
  run<A, E>(effect: Effect.Effect<A, E, Scope.Scope>, ended: (exit: Exit.Exit<A, E>) => void = () => {}): void {
    const started = Effect.forkIn(Effect.provideService(effect, Scope.Scope, this.#scope), this.#scope)
    const observed = Effect.map(started, (fiber) => fiber.addObserver((exit) => { if (this.isAlive && !this.#isStopping) ended(exit) }))
    Effect.runForkWith(this.#references)(observed)
  }

  kill(): void {
    if (!this.isAlive) return
    this.isAlive = false
    for (const undo of this.#onEnd) undo()
    Effect.runForkWith(this.#references)(Scope.close(this.#scope, Exit.interrupt()))
  }
  /** Calls back when it has ended. */
  stop(ended: () => void): void {
    if (!this.isAlive) return ended()
    this.#isStopping = true
    Effect.runForkWith(this.#references)(Scope.close(this.#scope, Exit.void)).addObserver(() => {
      this.kill()
      ended()
    })
  }
}
