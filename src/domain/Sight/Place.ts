/** Where a reader of a journal stands, so that it never takes a process that was started anew for the one before, whatever their numbers. */
import type { JournalEntry, JournalPage } from "../Sight.ts"

/** What the next page is asked with. `instance` is left out where the process does not tell it. */
export interface Place { readonly after: number; readonly instance?: string }

export const placeAfter = ({ instance, next }: JournalPage): Place => instance === undefined ? { after: next } : { after: next, instance }

/** Whether the page is of another process than those before it: then it begins with the oldest entry that is kept. */
export const isOfAnother = (place: Place, { instance }: JournalPage): boolean => place.instance !== undefined && place.instance !== instance

/** Stands in a log before the first page of another process: from its number, which never rises, `treeAt` begins with no actor. */
export const anotherBegins = ({ entries: [first] }: JournalPage, now: number): JournalEntry =>
  ({ seq: 0, at: first?.at ?? now, address: "", kind: "ended", event: null, from: null, state: null, detail: "another process answers from here on" })

/** Stands in a log for what cannot be read any more. `seq` is the number before the next that can. */
export const missing = (seq: number, at: number, detail: string): JournalEntry =>
  ({ seq, at, address: "", kind: "dropped", event: null, from: null, state: null, detail })
