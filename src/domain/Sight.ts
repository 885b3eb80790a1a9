/**
 * What can be seen of the actors of a process: the tree, one actor's chart with the active states marked, the journal, and a
 * recording of all that in a file. Plain data that holds no secret: context keys are allow-listed, events are shown by type alone.
 */
import { Schema } from "effect"

/** The name of a state within its machine, as `stateText` writes it for one active leaf: `online.synced`. */
const StatePath = Schema.String

export const ActorStatus = Schema.Literals(["running", "restarting", "stopping", "ended"])

/** One row of the tree; parents come before their children. */
export const ActorState = Schema.Struct({
  address: Schema.String,
  kind: Schema.Literals(["machine", "supervisor"]),
  /** The machine's id, or the supervisor's strategy. */
  machine: Schema.String,
  status: ActorStatus,
  /** The active state; of a supervisor, its status. */
  state: Schema.String,
  /** Epoch milliseconds. */
  since: Schema.Finite,
  restarts: Schema.Int,
  /** Events that wait. */
  mailbox: Schema.Int,
  lastError: Schema.NullOr(Schema.String)
})
export type ActorState = typeof ActorState.Type

export const ChartState = Schema.Struct({
  path: StatePath,
  parent: Schema.NullOr(StatePath),
  type: Schema.Literals(["atomic", "compound", "parallel", "final", "history"]),
  /** Whether it is entered with its parent. */
  initial: Schema.Boolean,
  /** Names of the actors that run while it is active. */
  invokes: Schema.Array(Schema.String)
})
export type ChartState = typeof ChartState.Type

export const ChartTransition = Schema.Struct({
  /** The state that takes the event; null: the machine itself, in every state. */
  source: Schema.NullOr(StatePath),
  /** As shown to people: the event's type, `after 500 ms`, `done: join`, `failed: join`, `always`. */
  label: Schema.String,
  /** The event's type as it stands in the journal. */
  event: Schema.String,
  guard: Schema.NullOr(Schema.String),
  /** None: it is handled where the machine is. */
  targets: Schema.Array(StatePath)
})
export type ChartTransition = typeof ChartTransition.Type

export const Chart = Schema.Struct({ machine: Schema.String, states: Schema.Array(ChartState), transitions: Schema.Array(ChartTransition) })
export type Chart = typeof Chart.Type

export const JournalKind = Schema.Literals([
  "started", "event", "crashed", "restarting", "ended", "stopped", "removed", "gaveUp", "mailboxFull", "eventsLost", "deadline", "contained", "dropped"
])
export type JournalKind = typeof JournalKind.Type

export const JournalEntry = Schema.Struct({
  /** Counts up from 1 in each process; 0 stands where a log goes on with another process. */
  seq: Schema.Int,
  /** Epoch milliseconds. */
  at: Schema.Finite,
  address: Schema.String,
  kind: JournalKind,
  /** The type of the event that was handled or refused. */
  event: Schema.NullOr(Schema.String),
  /** The state before and after it. Of `started`, `from` is null and the machine's id is in `detail`. */
  from: Schema.NullOr(Schema.String),
  state: Schema.NullOr(Schema.String),
  detail: Schema.NullOr(Schema.String)
})
export type JournalEntry = typeof JournalEntry.Type

/** One event that the actor would take now. */
export const Accepted = Schema.Struct({
  event: Schema.String,
  guard: Schema.NullOr(Schema.String),
  targets: Schema.Array(StatePath),
  /** Who sends it: somebody outside, a timer of the machine, or what it invoked. */
  origin: Schema.Literals(["outside", "timer", "invoked"])
})
export type Accepted = typeof Accepted.Type

export const ActorDetail = Schema.Struct({
  actor: ActorState,
  /** Null for a supervisor. */
  chart: Schema.NullOr(Chart),
  /** Every active state, ancestors included. */
  active: Schema.Array(StatePath),
  accepts: Schema.Array(Accepted),
  /** The allow-listed keys only. */
  context: Schema.Record(Schema.String, Schema.Json),
  output: Schema.NullOr(Schema.Json),
  /** The last entries of its own, oldest first. */
  history: Schema.Array(JournalEntry)
})
export type ActorDetail = typeof ActorDetail.Type

/**
 * A page of the journal. `next` is the `after` of the next call; `dropped` tells how many entries were gone before they could be read;
 * `instance` is of the process that answers, another one after each start (an older program does not tell it).
 */
export const JournalPage = Schema.Struct({ entries: Schema.Array(JournalEntry), next: Schema.Int, dropped: Schema.Int, instance: Schema.optionalKey(Schema.String) })
export type JournalPage = typeof JournalPage.Type

/** The actors of one process of a cluster. `agent` null: the control plane. */
export const ProcessActors = Schema.Struct({
  agent: Schema.NullOr(Schema.String),
  /** Null when it answered; else why it did not. */
  problem: Schema.NullOr(Schema.String),
  actors: Schema.Array(ActorState)
})
export type ProcessActors = typeof ProcessActors.Type

/**
 * A recording is a file of JSON lines: one `Header`, then `Process` (once for each), `Entry` in any number, and one `End`, whose count
 * tells whether the file is whole. Readers refuse another `version`.
 */
export const recordingFormat = "gstacks-journal"
export const recordingVersion = 1

export const RecordingLine = Schema.Union([
  Schema.TaggedStruct("Header", { format: Schema.Literal(recordingFormat), version: Schema.Literal(recordingVersion), at: Schema.Finite, product: Schema.String }),
  /** The tree as it was after entry `seq` (the last one before the recording's first), and the charts of the machines in it. */
  Schema.TaggedStruct("Process", { agent: Schema.NullOr(Schema.String), seq: Schema.Int, actors: Schema.Array(ActorState), charts: Schema.Array(Chart) }),
  Schema.TaggedStruct("Entry", { agent: Schema.NullOr(Schema.String), entry: JournalEntry }),
  Schema.TaggedStruct("End", { entries: Schema.Int })
])
export type RecordingLine = typeof RecordingLine.Type
