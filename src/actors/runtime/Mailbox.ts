/**
 * The bounded queue in front of a machine, and the turn-taking of those who have events waiting.
 * An idle mailbox holds no memory; a busy one gives way after some events, so that a flood for one
 * actor does not hold up the others.
 */
import { Effect } from "effect"
import type { EventObject } from "xstate"

export class Mailbox {
  readonly capacity: number
  #events: Array<EventObject> | undefined = undefined
  #head = 0

  constructor(capacity: number) {
    this.capacity = capacity
  }

  get size(): number {
    return this.#events === undefined ? 0 : this.#events.length - this.#head
  }

  /** False: it is full, and the event was not taken. */
  offer(event: EventObject): boolean {
    if (this.size >= this.capacity) return false
    if (this.#events === undefined) this.#events = [event]
    else this.#events.push(event)
    return true
  }

  take(): EventObject | undefined {
    const event = this.#events?.[this.#head]
    if (event === undefined) return undefined
    this.#head++
    if (this.size === 0) this.clear()
    else if (this.#head >= this.capacity) {
      this.#events = this.#events?.slice(this.#head)
      this.#head = 0
    }
    return event
  }

  clear(): void {
    this.#events = undefined
    this.#head = 0
  }
}

export interface Runnable {
  /** Handles some events; true when more are waiting. What goes wrong is its own affair: it is to throw nothing. */
  readonly runTurn: (events: number) => boolean
}

/** How many events one actor handles before the next one has its turn. */
const eventsPerTurn = 32

export class RunQueue {
  readonly #fork: (effect: Effect.Effect<void>) => unknown
  readonly #onThrow: (error: unknown) => void
  #ready: Array<Runnable> = []
  #running = false

  /** `onThrow` hears of a runnable that threw all the same; its turn is over, and the others go on. */
  constructor(fork: (effect: Effect.Effect<void>) => unknown, onThrow: (error: unknown) => void) {
    this.#fork = fork
    this.#onThrow = onThrow
  }

  /** Runs it later, never on the caller's stack. Each runnable queues itself at most once. */
  add(runnable: Runnable): void {
    this.#ready.push(runnable)
    if (this.#running) return
    this.#running = true
    this.#fork(this.#drain)
  }

  readonly #drain: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    while (this.#ready.length > 0) {
      yield* Effect.yieldNow
      const turn = this.#ready
      this.#ready = []
      for (const runnable of turn) if (this.#turnOf(runnable)) this.#ready.push(runnable)
    }
    this.#running = false
  })

  #turnOf(runnable: Runnable): boolean {
    try {
      return runnable.runTurn(eventsPerTurn)
    } catch (error) {
      this.#onThrow(error)
      return false
    }
  }
}
