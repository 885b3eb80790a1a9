/**
 * Time and turns of a simulated world. Everything in it runs on one queue of tasks and one heap of timers: when no task is left
 * to run, the time jumps to the next timer. TestClock cannot do this: it does not know of work that goes through promises, as
 * the database's does, and it has one wall clock, while here every host has its own that can jump.
 */
import { Clock, Duration, Effect, Scheduler } from "effect"

interface Timer { readonly at: number; readonly order: number; readonly fire: () => void; state: "waiting" | "cancelled" | "fired" }

const nanos = (millis: number): bigint => BigInt(Math.round(millis * 1_000_000))

export class Time {
  /** Milliseconds since the epoch. */
  now = Date.UTC(2030, 0, 1)
  readonly startedAt = this.now
  #tasks: Array<() => void> = []
  readonly #timers: Array<Timer> = []
  #cancelled = 0
  #order = 0

  readonly scheduler: Scheduler.Scheduler = {
    executionMode: "async",
    shouldYield: (fiber) => fiber.currentOpCount >= 2048,
    makeDispatcher: () => this.#dispatcher
  }
  readonly #dispatcher: Scheduler.SchedulerDispatcher = {
    scheduleTask: (task) => { this.#tasks.push(task) },
    flush: () => { this.#runTasks() }
  }

  get timers(): number { return this.#timers.length - this.#cancelled }

  /** Calls back later; answers how to prevent it. */
  after(millis: number, fire: () => void): () => void {
    const timer: Timer = { at: this.now + Math.max(0, millis), order: ++this.#order, fire, state: "waiting" }
    this.#push(timer)
    return () => {
      if (timer.state !== "waiting") return
      timer.state = "cancelled"
      this.#cancelled++
    }
  }

  /** A clock that is ahead of the world's by `skew`. Its timers are not: they count what has passed. */
  clock(skew: () => number = () => 0): Clock.Clock {
    const millis = () => this.now + skew()
    const monotonic = () => nanos(this.now - this.startedAt)
    return {
      currentTimeMillisUnsafe: millis, currentTimeMillis: Effect.sync(millis),
      currentTimeNanosUnsafe: () => nanos(millis()), currentTimeNanos: Effect.sync(() => nanos(millis())),
      monotonicTimeNanosUnsafe: monotonic, monotonicTimeNanos: Effect.sync(monotonic),
      sleep: (duration) => {
        const wait = Duration.toMillis(duration)
        if (wait <= 0) return Effect.yieldNow
        if (!Number.isFinite(wait)) return Effect.never
        return Effect.callback<void>((resume) => Effect.sync(this.after(wait, () => resume(Effect.void))))
      }
    }
  }

  /** Runs the world until `until` says so (asked whenever there is nothing left to do), or until a point in time. */
  async run(deadline: number, until: () => boolean = () => false): Promise<void> {
    for (;;) {
      await this.settle()
      if (until()) return
      const next = this.#peek()
      if (next === undefined || next.at > deadline) {
        this.now = Math.max(this.now, deadline)
        return
      }
      this.now = next.at
      for (let timer = this.#peek(); timer !== undefined && timer.at <= this.now; timer = this.#peek()) {
        this.#pop()
        timer.state = "fired"
        timer.fire()
      }
    }
  }

  /** Until no task waits, and no promise that needs neither time nor the outside is open. */
  async settle(): Promise<void> {
    do {
      this.#runTasks()
      await new Promise<void>((done) => setImmediate(done))
    } while (this.#tasks.length > 0)
  }

  #runTasks(): void {
    for (let turn = 0; this.#tasks.length > 0; turn++) {
      if (turn > 100_000) throw new Error("the world never comes to rest: some fiber runs in circles")
      const tasks = this.#tasks
      this.#tasks = []
      for (const task of tasks) task()
    }
  }

  #peek(): Timer | undefined {
    while (this.#timers[0]?.state === "cancelled") {
      this.#pop()
      this.#cancelled--
    }
    return this.#timers[0]
  }

  #push(timer: Timer): void {
    const heap = this.#timers
    let at = heap.push(timer) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (isBefore(heap[parent]!, timer)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = timer
  }

  #pop(): void {
    const heap = this.#timers
    const last = heap.pop()!
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (isBefore(last, heap[child]!)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}

const isBefore = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)
