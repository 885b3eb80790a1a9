/** What an actor would take now, read off its chart: of each active state its own events, and of its ancestors what it leaves to them. */
import type { Accepted, Chart, ChartTransition } from "../Sight.ts"

const originOf = (event: string): Accepted["origin"] =>
  event.startsWith("xstate.after.") ? "timer" : /^xstate\.(done|error)\.actor\./.test(event) ? "invoked" : "outside"

/** `always` and the end of inner states are the machine's own doing: nobody sends them. */
const isSent = ({ event }: ChartTransition): boolean => event !== "" && !event.startsWith("xstate.done.state.")

/** As XState goes through them: a state's alternatives in their order, none after one without a guard; inner states before outer. */
export const acceptedEvents = (chart: Chart, active: ReadonlyArray<string>): ReadonlyArray<Accepted> => {
  const sent = chart.transitions.filter(isSent)
  const found: Array<Accepted> = []
  /** By state, the events that it or an active state in it takes for certain. */
  const certain = new Map<string | null, Set<string>>()
  const innermostFirst: ReadonlyArray<string | null> = [...[...active].sort((a, b) => b.split(".").length - a.split(".").length), null]
  for (const source of innermostFirst) {
    const taken = certain.get(source) ?? new Set()
    for (const { event, guard, targets, source: owner } of sent) {
      if (owner !== source || taken.has(event) || taken.has("*")) continue
      found.push({ event, guard, targets, origin: originOf(event) })
      if (guard === null) taken.add(event)
    }
    if (source === null) break
    const parent = source.includes(".") ? source.slice(0, source.lastIndexOf(".")) : null
    certain.set(parent, new Set([...certain.get(parent) ?? [], ...taken]))
  }
  return found
}
