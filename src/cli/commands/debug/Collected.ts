/** A recording while it is made: takes pages of journals as far as a reader of recordings will take them, and says what is missing. */
import type { JournalEntry, JournalPage } from "../../../domain/Sight.ts"
import { anotherBegins, isOfAnother, missing, type Place, placeAfter } from "../../../domain/Sight/Place.ts"
import { largestRecording, type RecordedEntry, type RecordedProcess } from "../../../domain/Sight/Recording.ts"
import type { ProcessName } from "../../ActorSource.ts"

/** What is written beside the entry itself. */
const lineOverhead = 32
/** For the lines around the entries, and for each process the one that says what is missing. */
const reserve = 1_000
const longestReason = 300

export const tooLarge = "the recording is as large as it may be"

export class Collected {
  readonly entries: Array<RecordedEntry> = []
  /** How far each process was read. */
  readonly #read: Map<ProcessName, Place>
  #room: number
  #isFull = false

  /** `most`: in characters. */
  constructor(processes: ReadonlyArray<RecordedProcess>, places: ReadonlyMap<ProcessName, Place>, most = largestRecording) {
    this.#read = new Map(places)
    this.#room = most - JSON.stringify(processes).length - reserve * (processes.length + 1)
  }

  get isFull(): boolean {
    return this.#isFull
  }

  /** What the next page of this process is asked with. */
  place(agent: ProcessName): Place {
    return this.#read.get(agent)!
  }

  /** False: it is full, and stays so. */
  take(agent: ProcessName, page: JournalPage, now: number): boolean {
    const another = isOfAnother(this.place(agent), page) ? [anotherBegins(page, now)] : []
    for (const entry of [...another, ...lost(page, now), ...page.entries]) {
      const recorded: RecordedEntry = { agent, entry }
      this.#room -= JSON.stringify(recorded).length + lineOverhead
      this.#isFull ||= this.#room < 0
      if (this.#isFull) return false
      this.entries.push(recorded)
      this.#read.set(agent, { ...placeAfter(page), after: entry.seq })
    }
    this.#read.set(agent, placeAfter(page))
    return true
  }

  /** Notes that what follows is not in the recording. */
  miss(agent: ProcessName, now: number, reason: string): void {
    this.entries.push({ agent, entry: missing(this.place(agent).after + 1, now, `what follows is missing: ${reason.slice(0, longestReason)}`) })
  }
}

/** Stands for the entries that were gone before they could be read. */
const lost = ({ dropped, entries: [first], next }: JournalPage, now: number): ReadonlyArray<JournalEntry> =>
  dropped === 0 ? [] : [missing((first?.seq ?? next + 1) - 1, first?.at ?? now, `${dropped} entries were lost`)]
