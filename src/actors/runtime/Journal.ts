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
  readonly event: string | undefined
  /** The state after it. */
  readonly state: string | undefined
  readonly detail: string | undefined
}

/** A generous estimate of what an entry costs in memory beside its texts. */
const fixedBytes = 128

/** Entries are a linked list; the one dropped becomes the one added, so a full journal makes no garbage. */
type Node = { -readonly [Key in keyof JournalEntry]: JournalEntry[Key] } & { bytes: number; next: Node | undefined }

export class Journal {
  readonly maxBytes: number
  #oldest: Node | undefined = undefined
  #newest: Node | undefined = undefined
  #bytes = 0
  #seq = 0

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  append(at: number, address: string, kind: JournalKind, event?: string, state?: string, detail?: string): void {
    const seq = ++this.#seq
    const bytes = fixedBytes + 2 * (address.length + (event?.length ?? 0) + (state?.length ?? 0) + (detail?.length ?? 0))
    let node: Node | undefined
    while (this.#bytes + bytes > this.maxBytes && this.#oldest !== undefined) node = this.#dropOldest(this.#oldest)
    if (bytes > this.maxBytes) return
    if (node === undefined) {
      node = { seq, at, address, kind, event, state, detail, bytes, next: undefined }
    } else {
      node.seq = seq
      node.at = at
      node.address = address
      node.kind = kind
      node.event = event
      node.state = state
      node.detail = detail
      node.bytes = bytes
      node.next = undefined
    }
    this.#bytes += bytes
    if (this.#newest === undefined) this.#oldest = node
    else this.#newest.next = node
    this.#newest = node
  }

  /** Oldest first; of one address and all below it when `prefix` is given. */
  entries(prefix = ""): ReadonlyArray<JournalEntry> {
    const found: Array<JournalEntry> = []
    for (let node = this.#oldest; node !== undefined; node = node.next) {
      if (!isBelow(node.address, prefix)) continue
      const { bytes: _bytes, next: _next, ...entry } = node
      found.push(entry)
    }
    return found
  }

  #dropOldest(oldest: Node): Node {
    this.#bytes -= oldest.bytes
    this.#oldest = oldest.next
    if (this.#oldest === undefined) this.#newest = undefined
    return oldest
  }
}

/** Whether an address is `prefix` itself or below it. */
export const isBelow = (address: string, prefix: string): boolean =>
  prefix === "" || address === prefix || address.startsWith(`${prefix}/`)
