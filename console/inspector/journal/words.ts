/** A journal entry in words. */
import type { JournalEntry } from "../../../src/domain/Sight.ts"
import type { EventLabels } from "../../../src/domain/Sight/eventLabels.ts"

const kinds: Readonly<Record<Exclude<JournalEntry["kind"], "event">, string>> = {
  started: "started", crashed: "crashed", restarting: "restarting", ended: "ended", stopped: "stopped", removed: "removed", gaveUp: "gave up",
  mailboxFull: "mailbox full", eventsLost: "events lost", deadline: "missed its deadline", contained: "error contained", dropped: "dropped"
}


export const happened = (entry: JournalEntry, labels: EventLabels): string => {
  const event = entry.event === null ? "" : labels.get(entry.event) ?? entry.event
  if (entry.kind === "event") return event
  return event === "" ? kinds[entry.kind] : `${kinds[entry.kind]}: ${event}`
}

export const passage = ({ from, kind, state }: JournalEntry): string =>
  kind !== "event" ? "" : from === state || from === null ? state ?? "" : `${from} → ${state ?? ""}`

export const isTrouble = ({ kind }: JournalEntry): boolean => !["event", "started", "stopped", "removed", "ended"].includes(kind)
