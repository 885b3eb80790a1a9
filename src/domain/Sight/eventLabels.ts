/** The charts' words for events that XState names itself: `after 500 ms` for `xstate.after.500.link.backoff`. */
import type { Chart } from "../Sight.ts"

export type EventLabels = ReadonlyMap<string, string>

export const eventLabels = (charts: ReadonlyArray<Chart>): EventLabels =>
  new Map([...charts.flatMap(({ transitions }) => transitions.map(({ event, label }) => [event, label] as const)), ["xstate.init", "entered"]])
