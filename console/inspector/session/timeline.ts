/** One order through the entries of several processes: by time, but never against the order within a process. */
import type { RecordedEntry } from "../../../src/domain/Sight/Recording.ts"

/** Puts new entries of one process, all later than its others, into the timeline. */
export const merge = (timeline: ReadonlyArray<RecordedEntry>, added: ReadonlyArray<RecordedEntry>): ReadonlyArray<RecordedEntry> => {
  const first = added[0]
  if (first === undefined) return timeline
  let from = timeline.length
  while (from > 0 && timeline[from - 1]!.entry.at > first.entry.at && timeline[from - 1]!.agent !== first.agent) from--
  const merged = timeline.slice(0, from)
  let next = 0
  for (const old of timeline.slice(from)) {
    while (next < added.length && added[next]!.entry.at < old.entry.at) merged.push(added[next++]!)
    merged.push(old)
  }
  while (next < added.length) merged.push(added[next++]!)
  return merged
}

/** Which moment is shown: always the newest, the one before everything, or the one after an entry. */
export type Moment = "now" | "start" | RecordedEntry

/** How many entries of the timeline lie before the moment. An entry that is there no more was among the oldest. */
export const positionOf = (timeline: ReadonlyArray<RecordedEntry>, moment: Moment): number =>
  moment === "now" ? timeline.length : moment === "start" ? 0 : timeline.lastIndexOf(moment) + 1

export const momentAt = (timeline: ReadonlyArray<RecordedEntry>, position: number): Moment => timeline[position - 1] ?? "start"

/** How many entries of each process are among the first `position`. */
export const countsAt = (timeline: ReadonlyArray<RecordedEntry>, position: number): ReadonlyMap<string | null, number> => {
  const counts = new Map<string | null, number>()
  for (let index = 0; index < position; index++) {
    const { agent } = timeline[index]!
    counts.set(agent, (counts.get(agent) ?? 0) + 1)
  }
  return counts
}
