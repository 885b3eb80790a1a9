/** Everything shown about one actor at a moment, whether a server told it or it is worked out from the journal. */
import type { Accepted, ActorDetail, ActorState, Chart, ChartTransition, JournalEntry } from "../../../src/domain/Sight.ts"
import { acceptedEvents } from "../../../src/domain/Sight/acceptedEvents.ts"
import { activePaths } from "../../../src/domain/Sight/activePaths.ts"
import type { ProcessTree } from "../session/trees.ts"
import type { RecordedEntry } from "../../../src/domain/Sight/Recording.ts"
import { takenTransition } from "./taken.ts"

export interface Subject {
  readonly agent: string | null
  readonly actor: ActorState
  readonly chart: Chart | undefined
  readonly active: ReadonlyArray<string>
  readonly accepts: ReadonlyArray<Accepted>
  readonly taken: ChartTransition | undefined
  /** Undefined: only a running process knows it. */
  readonly detail: ActorDetail | undefined
  /** Its own entries up to the moment, newest first, at most `mostEvents`. */
  readonly events: ReadonlyArray<RecordedEntry>
}

export const mostEvents = 200

/** Of one actor up to a position, newest first. */
export const eventsOf = (timeline: ReadonlyArray<RecordedEntry>, position: number, agent: string | null, address: string): ReadonlyArray<RecordedEntry> => {
  const found: Array<RecordedEntry> = []
  for (let index = position - 1; index >= 0 && found.length < mostEvents; index--) {
    const recorded = timeline[index]!
    if (recorded.agent === agent && recorded.entry.address === address) found.push(recorded)
  }
  return found
}

const lastTaken = (chart: Chart | undefined, entries: ReadonlyArray<RecordedEntry>): ChartTransition | undefined => {
  if (chart === undefined) return undefined
  const last: JournalEntry | undefined = entries.find(({ entry }) => entry.kind === "event" || entry.kind === "started")?.entry
  return last === undefined ? undefined : takenTransition(chart, last)
}

/** Undefined: at that moment there was no such actor. `detail` is of now, or undefined. */
export const subjectOf = (tree: ProcessTree, address: string, events: ReadonlyArray<RecordedEntry>, detail: ActorDetail | undefined): Subject | undefined => {
  const actor = tree.actors.find((candidate) => candidate.address === address)
  if (actor === undefined) return undefined
  const { agent, charts } = tree.log
  const chart = charts.find(({ machine }) => machine === actor.machine) ?? detail?.chart ?? undefined
  const active = chart === undefined || actor.status === "restarting" ? [] : activePaths(actor.state)
  const accepts = chart === undefined || actor.status !== "running" ? [] : acceptedEvents(chart, active)
  return { agent, actor, chart, active, accepts, taken: lastTaken(chart, events), detail, events }
}
