/** Entries of a journal as lines of text. */
import type { JournalEntry } from "../../../domain/Sight.ts"
import type { EventLabels } from "../../../domain/Sight/eventLabels.ts"
import type { ProcessName } from "../../ActorSource.ts"
import { printable } from "../../output/printable.ts"
import { qualified } from "./scope.ts"

/** What happened, without when and to whom: `session.lost: online -> backoff`, `crashed: TypeError: ...`. */
export const happening = (labels: EventLabels) => ({ kind, event, from, state, detail }: JournalEntry): string => {
  const named = event === null ? "" : labels.get(event) ?? event
  const what = kind === "event" ? named : `${kind} ${named}`.trim()
  const where = state === null ? "" : from === null || from === state ? `in ${state}` : `${from} -> ${state}`
  return [what, where, detail === null ? "" : detail.split("\n", 1)[0]!].filter((part) => part !== "").join(": ")
}

export const timeOf = ({ at }: JournalEntry): string => new Date(at).toISOString()

export const entryLine = (process: ProcessName, labels: EventLabels) => (entry: JournalEntry): string =>
  printable(`${timeOf(entry)}  ${qualified(process, entry.address)}  ${happening(labels)(entry)}`) + "\n"

/** An event that changed nothing anybody can see is no news. */
export const isNews = ({ kind, from, state }: JournalEntry): boolean => kind !== "event" || from !== state
