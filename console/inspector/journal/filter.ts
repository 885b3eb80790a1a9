/** Which entries of the journal are shown: of the chosen actor and below it, with some words, without others. */
import type { EventLabels } from "../../../src/domain/Sight/eventLabels.ts"
import type { RecordedEntry } from "../../../src/domain/Sight/Recording.ts"
import type { Selection } from "../page/Store.ts"
import { processName } from "../tree/rows.ts"
import { happened } from "./words.ts"

/** A word with a minus before it must not occur. */
export interface Filter { readonly text: string; readonly only: Selection | undefined }

/** Kept by entry: a journal is long, and a keystroke asks all of it. */
const texts = new WeakMap<RecordedEntry, string>()

const textOf = (recorded: RecordedEntry, labels: EventLabels): string => {
  const known = texts.get(recorded)
  if (known !== undefined) return known
  const { agent, entry } = recorded
  const text = [processName(agent), entry.address, happened(entry, labels), entry.event, entry.from, entry.state, entry.detail].join("\n").toLowerCase()
  texts.set(recorded, text)
  return text
}

const isOf = ({ agent, entry }: RecordedEntry, only: Selection): boolean =>
  agent === only.agent && (only.address === "" || entry.address === only.address || entry.address.startsWith(`${only.address}/`))

/** Where in the timeline the entries are that the filter lets through, rising. */
export const visibleIn = (timeline: ReadonlyArray<RecordedEntry>, { only, text }: Filter, labels: EventLabels): ReadonlyArray<number> => {
  const words = text.toLowerCase().split(/\s+/).filter((word) => word !== "" && word !== "-")
  const without = words.filter((word) => word.startsWith("-")).map((word) => word.slice(1))
  const having = words.filter((word) => !word.startsWith("-"))
  const found: Array<number> = []
  timeline.forEach((recorded, index) => {
    if (only !== undefined && !isOf(recorded, only)) return
    if (words.length > 0) {
      const text = textOf(recorded, labels)
      if (!having.every((word) => text.includes(word)) || without.some((word) => text.includes(word))) return
    }
    found.push(index)
  })
  return found
}
