/** Which transition of a chart a journal entry tells of. */
import type { Chart, ChartTransition, JournalEntry } from "../../../src/domain/Sight.ts"
import { activePaths } from "../../../src/domain/Sight/activePaths.ts"

const depth = ({ source }: ChartTransition): number => source === null ? 0 : source.split(".").length

/** Undefined when the entry changes nothing, or fits more than one: guards are not in the journal, where they led to is. */
export const takenTransition = (chart: Chart, entry: JournalEntry): ChartTransition | undefined => {
  if (entry.kind !== "event" || entry.event === null || entry.from === null) return undefined
  const before = new Set(activePaths(entry.from))
  const after = new Set(activePaths(entry.state ?? entry.from))
  const possible = chart.transitions
    .filter(({ event, source }) => (event === entry.event || event === "*") && (source === null || before.has(source)))
    .sort((a, b) => depth(b) - depth(a))
  const arriving = possible.filter(({ targets }) => targets.length > 0 ? targets.every((target) => after.has(target)) : entry.from === entry.state)
  return arriving[0] ?? (possible.length === 1 ? possible[0] : undefined)
}
