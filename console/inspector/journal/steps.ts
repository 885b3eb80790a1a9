/** Stepping through the entries that a filter lets through. A step is counted among them; the moment stays one of the whole timeline. */
import type { RecordedEntry } from "../../../src/domain/Sight/Recording.ts"
import { type Moment, momentAt } from "../session/timeline.ts"

/** How many of the visible ones lie before a position. */
export const stepOf = (visible: ReadonlyArray<number>, position: number): number => {
  let [low, high] = [0, visible.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (visible[middle]! < position) low = middle + 1
    else high = middle
  }
  return low
}

export const momentOfStep = (timeline: ReadonlyArray<RecordedEntry>, visible: ReadonlyArray<number>, step: number): Moment =>
  step <= 0 ? "start" : momentAt(timeline, visible[Math.min(step, visible.length) - 1]! + 1)
