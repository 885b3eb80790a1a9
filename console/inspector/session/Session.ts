/**
 * What the page has seen: for each process a tree, the journal since, and the charts of its machines; and one timeline through all of
 * them. The same whether it came from a server or a file. Plain values; each function answers a new session.
 */
import type { ActorState, Chart, JournalEntry } from "../../../src/domain/Sight.ts"
import type { RecordedEntry, RecordedProcess, Recording } from "../../../src/domain/Sight/Recording.ts"
import { treeAt } from "../../../src/domain/Sight/treeAt.ts"
import { treeBefore } from "../../../src/domain/Sight/treeBefore.ts"
import { merge } from "./timeline.ts"

export interface ProcessLog extends RecordedProcess {
  /** Why it cannot be asked now. */
  readonly problem: string | null
  readonly entries: ReadonlyArray<JournalEntry>
  /** After the last entry. */
  readonly now: ReadonlyArray<ActorState>
}

export interface Session {
  readonly processes: ReadonlyArray<ProcessLog>
  /** Entries of all processes, by time; those of one process in their own order, whatever its clock says. */
  readonly timeline: ReadonlyArray<RecordedEntry>
}

export const nothing: Session = { processes: [], timeline: [] }

/** Of one process; the page would grow for ever otherwise. When there are more, the oldest tenth goes. */
export const mostEntries = 50_000

/** Applies entries to the tree after an earlier one. A number that does not rise is a new process. */
export const advance = (tree: ReadonlyArray<ActorState>, lastSeq: number, entries: ReadonlyArray<JournalEntry>): ReadonlyArray<ActorState> =>
  entries.length === 0 ? tree : treeAt(entries[0]!.seq <= lastSeq ? [] : tree, entries, entries.length)

const lastSeq = (log: ProcessLog): number => log.entries.at(-1)?.seq ?? log.seq
const ofAgent = (agent: string | null) => (log: { readonly agent: string | null }): boolean => log.agent === agent

const put = (session: Session, log: ProcessLog): Session => ({
  ...session,
  processes: session.processes.some(ofAgent(log.agent)) ? session.processes.map((old) => old.agent === log.agent ? log : old) : [...session.processes, log]
})

export const ofRecording = (recording: Recording): Session => {
  const entries = new Map<string | null, Array<JournalEntry>>(recording.processes.map(({ agent }) => [agent, []]))
  for (const { agent, entry } of recording.entries) entries.get(agent)?.push(entry)
  return recording.processes.reduce<Session>((session, process) => {
    const own = entries.get(process.agent) ?? []
    // A file may tell of one actor twice.
    const actors = treeAt(process.actors, [], 0)
    return withTimeline(put(session, { ...process, actors, problem: null, entries: own, now: advance(actors, process.seq, own) }), process.agent, own)
  }, nothing)
}

export const toRecording = (session: Session, at: number): Recording => ({
  at, product: "inspector", entries: session.timeline,
  processes: session.processes.map(({ agent, seq, actors, charts }) => ({ agent, seq, actors, charts }))
})

export interface Loaded {
  readonly agent: string | null
  readonly actors: ReadonlyArray<ActorState>
  readonly charts: ReadonlyArray<Chart>
  /** What its journal still holds. */
  readonly entries: ReadonlyArray<JournalEntry>
}

/** A process as it is now, with its past as far as its journal goes. What was known of it before goes. */
export const load = (session: Session, { actors, agent, charts, entries }: Loaded): Session => {
  const log: ProcessLog = { agent, charts, entries, now: actors, problem: null, actors: treeBefore(actors, entries), seq: (entries[0]?.seq ?? 1) - 1 }
  return withTimeline(put({ ...session, timeline: session.timeline.filter((entry) => entry.agent !== agent) }, log), agent, entries)
}

export const append = (session: Session, agent: string | null, entries: ReadonlyArray<JournalEntry>): Session => {
  const log = session.processes.find(ofAgent(agent))
  if (log === undefined || entries.length === 0) return session
  const grown = { ...log, problem: null, entries: [...log.entries, ...entries], now: advance(log.now, lastSeq(log), entries) }
  return bounded(withTimeline(put(session, grown), agent, entries), grown)
}

/** What only the process knows: how many events wait, and errors and restarts from before its journal. New processes are added, empty. */
export const look = (session: Session, seen: ReadonlyArray<{ readonly agent: string | null; readonly problem: string | null; readonly actors: ReadonlyArray<ActorState> }>): Session =>
  seen.reduce((session, { actors, agent, problem }) => {
    const log = session.processes.find(ofAgent(agent))
    if (log === undefined) return put(session, { agent, problem, seq: 0, actors: [], charts: [], entries: [], now: [] })
    const now = refreshed(log.now, actors)
    return now === log.now && problem === log.problem ? session : put(session, { ...log, problem, now })
  }, session)

/** The same tree when nothing in it is new, so that nothing is drawn again. */
const refreshed = (tree: ReadonlyArray<ActorState>, seen: ReadonlyArray<ActorState>): ReadonlyArray<ActorState> => {
  const fresh = new Map(seen.map((actor) => [actor.address, actor]))
  const after = tree.map((actor) => {
    const { lastError, mailbox, restarts } = fresh.get(actor.address) ?? actor
    return actor.mailbox === mailbox && actor.restarts === restarts && actor.lastError === lastError ? actor : { ...actor, mailbox, restarts, lastError }
  })
  return after.every((actor, index) => actor === tree[index]) ? tree : after
}

/** Those of machines that run no more stay: the past needs them. */
export const withCharts = (session: Session, agent: string | null, charts: ReadonlyArray<Chart>): Session => ({
  ...session,
  processes: session.processes.map((log) => log.agent === agent
    ? { ...log, charts: [...new Map([...log.charts, ...charts].map((chart) => [chart.machine, chart])).values()] }
    : log)
})

export const withProblem = (session: Session, agent: string | null, problem: string): Session =>
  ({ ...session, processes: session.processes.map((log) => log.agent === agent ? { ...log, problem } : log) })

const withTimeline = (session: Session, agent: string | null, entries: ReadonlyArray<JournalEntry>): Session =>
  ({ ...session, timeline: merge(session.timeline, entries.map((entry) => ({ agent, entry }))) })

const bounded = (session: Session, log: ProcessLog): Session => {
  if (log.entries.length <= mostEntries) return session
  const gone = log.entries.slice(0, mostEntries / 10)
  const lost = new Set(gone)
  return put(
    { ...session, timeline: session.timeline.filter(({ entry }) => !lost.has(entry)) },
    { ...log, seq: gone.at(-1)!.seq, actors: advance(log.actors, log.seq, gone), entries: log.entries.slice(gone.length) }
  )
}
