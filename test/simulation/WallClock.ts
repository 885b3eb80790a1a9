/** A machine's wall clock, which can be set forward and back. What is written down of it has lost the fractions of its milliseconds. */
import type { Time } from "./Time.ts"

interface Setting { readonly since: number; readonly aheadMs: number }

export class WallClock {
  readonly #time: Time
  readonly #settings: Array<Setting>

  constructor(time: Time) {
    this.#time = time
    this.#settings = [{ since: time.now, aheadMs: 0 }]
  }

  get aheadMs(): number { return this.#settings.at(-1)!.aheadMs }
  get now(): number { return this.#time.now + this.aheadMs }
  /** The latest that it has ever shown. */
  get latest(): number { return Math.max(...this.#stretches().map(({ until, aheadMs }) => until + aheadMs)) }
  jump(byMs: number): void { this.#settings.push({ since: this.#time.now, aheadMs: this.aheadMs + byMs }) }

  /** Whether it showed `millis` at some moment between two points in time. */
  showed(millis: number, from: number, to: number): boolean {
    return this.#stretches().some(({ since, until, aheadMs }) => Math.floor(Math.max(since, from) + aheadMs) <= millis && millis <= Math.min(until, to) + aheadMs)
  }
  /** Whether it showed `earlier` before it showed `later`, or at once. */
  showedBefore(earlier: number, later: number): boolean {
    return earlier <= later || this.#stretches().some(({ until, aheadMs }) => earlier <= until + aheadMs && this.showed(later, until, this.#time.now))
  }
  /** When it last showed `millis`. */
  whenLast(millis: number): number {
    return Math.max(...this.#stretches().filter(({ since, until, aheadMs }) => Math.floor(since + aheadMs) <= millis && millis <= until + aheadMs).map(({ aheadMs }) => millis - aheadMs))
  }

  #stretches(): ReadonlyArray<Setting & { readonly until: number }> {
    return this.#settings.map((setting, at) => ({ ...setting, until: this.#settings[at + 1]?.since ?? this.#time.now }))
  }
}
