/**
 * The recent history of every actor in this process: what it was sent, the states before and after, how it crashed. Bounded in
 * bytes, oldest first to go. It holds event types and state names, never payloads or contexts, so it can be shown and attached to a
 * bug report. Reading is by page and costs nothing to whoever writes.
 */
import { Effect } from "effect"
import type { JournalEntry, JournalKind, JournalPage } from "../../domain/Sight.ts"

export interface PageQuery {
  /** Entries of this address and all below it; "": of all. */
  readonly prefix: string
  /** Entries behind this sequence number. Undefined, or one that was never given here: from the oldest kept. */
  readonly after: number | undefined
  /** Of the journal that gave the number; undefined: not known. Another one is read from its oldest entry. */
  readonly instance?: string | undefined
  readonly limit: number
}

/** XState makes the text of an event anew each time: kept once for each type, it costs the garbage collector nothing. */
const mostEventTypes = 4096

/** A generous estimate of what an entry costs in memory beside its texts. */
const fixedBytes = 136

interface Slot extends Record<keyof JournalEntry, unknown> {
  seq: number
  at: number
  address: string
  kind: JournalKind
  event: string | null
  from: string | null
  state: string | null
  detail: string | null
  bytes: number
}

export class Journal {
  readonly maxBytes: number
  /** Numbers begin anew in each process: this tells a reader whose they are. */
  readonly instance: string = globalThis.crypto.randomUUID()
  /** A ring: an entry has the place of its number. The one dropped becomes the one added, so a full journal makes no garbage. */
  readonly #slots: Array<Slot | undefined> = []
  readonly #places: number
  readonly #eventTypes = new Map<string, string>()
  readonly #waiting = new Set<{ readonly prefix: string; readonly wake: () => void }>()
  #oldest = 1
  #newest = 0
  #bytes = 0

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
    this.#places = Math.max(1, Math.floor(maxBytes / fixedBytes))
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The sequence number of the last entry. */
  get newest(): number {
    return this.#newest
  }

  append(at: number, address: string, kind: JournalKind, eventType: string | null, from: string | null, state: string | null, detail: string | null): void {
    const seq = ++this.#newest
    const event = eventType === null ? null : this.#kept(eventType)
    const bytes = fixedBytes + 2 * (address.length + (event?.length ?? 0) + (from?.length ?? 0) + (state?.length ?? 0) + (detail?.length ?? 0))
    let slot: Slot | undefined
    while (this.#bytes + bytes > this.maxBytes && this.#oldest < seq) slot = this.#dropOldest()
    if (bytes > this.maxBytes) {
      this.#oldest = seq + 1
      return
    }
    if (slot === undefined) {
      slot = { seq, at, address, kind, event, from, state, detail, bytes }
    } else {
      slot.seq = seq
      slot.at = at
      slot.address = address
      slot.kind = kind
      slot.event = event
      slot.from = from
      slot.state = state
      slot.detail = detail
      slot.bytes = bytes
    }
    this.#bytes += bytes
    this.#slots[seq % this.#places] = slot
    if (this.#waiting.size > 0) this.#wake(address)
  }

  /** Oldest first; of one address and all below it when `prefix` is given. */
  entries(prefix = ""): ReadonlyArray<JournalEntry> {
    return this.page({ prefix, after: undefined, limit: Infinity }).entries
  }

  /** `dropped` counts the entries of any address that were gone before this reader came. */
  page({ after, instance, limit, prefix }: PageQuery): JournalPage {
    const last = this.#isAnother(instance) ? 0 : after !== undefined && after >= 0 && after <= this.#newest ? after : undefined
    const first = Math.max(last === undefined ? 0 : last + 1, this.#oldest)
    const entries: Array<JournalEntry> = []
    let seq = first
    for (; seq <= this.#newest && entries.length < limit; seq++) {
      const slot = this.#at(seq)
      if (isBelow(slot.address, prefix)) entries.push(entryOf(slot))
    }
    return { entries, next: seq - 1, dropped: last === undefined ? 0 : first - last - 1, instance: this.instance }
  }

  /** As `page`; when there is no entry it waits for one, at most so long. A reader of another journal is told at once. */
  pageSoon(query: PageQuery, waitMs: number): Effect.Effect<JournalPage> {
    return Effect.suspend(() => {
      const page = this.page(query)
      return page.entries.length > 0 || waitMs <= 0 || this.#isAnother(query.instance)
        ? Effect.succeed(page)
        : Effect.map(Effect.timeoutOption(this.#appended(query.prefix), waitMs), () => this.page(query))
    })
  }

  /** The last entries of one address alone, oldest first. */
  last(address: string, count: number): ReadonlyArray<JournalEntry> {
    const found: Array<JournalEntry> = []
    for (let seq = this.#newest; seq >= this.#oldest && found.length < count; seq--) {
      const slot = this.#at(seq)
      if (slot.address === address) found.push(entryOf(slot))
    }
    return found.reverse()
  }

  #isAnother(instance: string | undefined): boolean {
    return instance !== undefined && instance !== this.instance
  }

  #kept(eventType: string): string {
    const kept = this.#eventTypes.get(eventType)
    if (kept !== undefined) return kept
    if (this.#eventTypes.size >= mostEventTypes) this.#eventTypes.clear()
    this.#eventTypes.set(eventType, eventType)
    return eventType
  }

  #appended(prefix: string): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const waiting = { prefix, wake: () => resume(Effect.void) }
      this.#waiting.add(waiting)
      return Effect.sync(() => this.#waiting.delete(waiting))
    })
  }

  #wake(address: string): void {
    for (const waiting of this.#waiting) {
      if (!isBelow(address, waiting.prefix)) continue
      this.#waiting.delete(waiting)
      waiting.wake()
    }
  }

  #at(seq: number): Slot {
    return this.#slots[seq % this.#places]!
  }

  #dropOldest(): Slot {
    const slot = this.#at(this.#oldest)
    this.#slots[this.#oldest % this.#places] = undefined
    this.#oldest++
    this.#bytes -= slot.bytes
    return slot
  }
}

const entryOf = ({ address, at, detail, event, from, kind, seq, state }: Slot): JournalEntry => ({ seq, at, address, kind, event, from, state, detail })

/** Whether an address is `prefix` itself or below it. */
export const isBelow = (address: string, prefix: string): boolean =>
  prefix === "" || address === prefix || address.startsWith(`${prefix}/`)
