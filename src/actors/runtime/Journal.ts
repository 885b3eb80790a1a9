/**
 * The recent history of every actor in this process: what it was sent, the state it went to, how it
 * crashed. Bounded in bytes, oldest first to go. It holds event types and state names, never
 * payloads or contexts, so it can be shown and attached to a bug report.
 */
export type JournalKind =
  | "started"
  | "event"
  | "crashed"
  | "restarting"
  | "ended"
  | "stopped"
  | "removed"
  | "gaveUp"
  | "mailboxFull"
  | "eventsLost"
  | "deadline"
  | "contained"

export interface JournalEntry {
  /** Counts up from 1 in each process; a gap at the start means that older entries were dropped. */
  readonly seq: number
  /** Epoch milliseconds of Effect's clock. */
  readonly at: number
  readonly address: string
  readonly kind: JournalKind
  /** The type of the event that was handled or refused. */
  readonly event?: string
  /** The state after it. */
  readonly state?: string
  readonly detail?: string
}

/** A generous estimate of what an entry costs in memory beside its texts. */
const fixedBytes = 128

const bytesOf = (entry: JournalEntry): number =>
  fixedBytes + 2 * (entry.address.length + (entry.event?.length ?? 0) + (entry.state?.length ?? 0) + (entry.detail?.length ?? 0))

export class Journal {
  readonly maxBytes: number
  #entries: Array<JournalEntry | undefined> = []
  #head = 0
  #bytes = 0
  #seq = 0

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  append(entry: Omit<JournalEntry, "seq">): void {
    const numbered: JournalEntry = { seq: ++this.#seq, ...entry }
    this.#entries.push(numbered)
    this.#bytes += bytesOf(numbered)
    while (this.#bytes > this.maxBytes && this.#head < this.#entries.length) this.#dropOldest()
  }

  /** Oldest first; of one address and all below it when `prefix` is given. */
  entries(prefix = ""): ReadonlyArray<JournalEntry> {
    return this.#entries.slice(this.#head).filter((entry): entry is JournalEntry =>
      entry !== undefined && isBelow(entry.address, prefix))
  }

  #dropOldest(): void {
    const oldest = this.#entries[this.#head]
    if (oldest !== undefined) this.#bytes -= bytesOf(oldest)
    this.#entries[this.#head++] = undefined
    // Compact once half of the array is dropped entries: constant cost per append on average.
    if (this.#head > 1024 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head)
      this.#head = 0
    }
  }
}

/** Whether an address is `prefix` itself or below it. */
export const isBelow = (address: string, prefix: string): boolean =>
  prefix === "" || address === prefix || address.startsWith(`${prefix}/`)
