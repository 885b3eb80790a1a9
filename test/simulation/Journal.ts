/** Everything that happened in a run, a line each, with the time since its start. Two runs of one seed write the same bytes. */
import type { Time } from "./Time.ts"

export class Journal {
  readonly #lines: Array<string> = []
  readonly #time: Time
  constructor(time: Time) { this.#time = time }

  note(who: string, what: string): void {
    this.#lines.push(`${((this.#time.now - this.#time.startedAt) / 1000).toFixed(3).padStart(9)} ${who.padEnd(9)} ${what}`)
  }
  get text(): string { return `${this.#lines.join("\n")}\n` }
}
