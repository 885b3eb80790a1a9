/**
 * What is known of streams afterwards: a flow for each that was accepted, written by the agents at both of its ends, and counts of
 * attempts that were refused, since a refused connection never opens. Agents keep both for themselves and answer questions.
 */
import { Schema } from "effect"
import { AliasId, NetworkId, RuleId, SandboxId } from "./Ids.ts"

/** At which end of the stream it was seen. */
export const Role = Schema.Literals(["source", "target"])
export type Role = typeof Role.Type

/** How a flow ended; `by` tells who broke off one that was reset. */
export const FlowEnd = Schema.Literals([
  "eof", "reset",
  /** The permit that it rested on was withdrawn or expired. */
  "revoked",
  /** The target's host had no permit for it. */
  "refused",
  /** Permitted, but host or app did not answer. */
  "unreachable",
  "limit",
  /** The meshd that carried it ended. */
  "stopped"
])
export type FlowEnd = typeof FlowEnd.Type

/** Who, as in a rule (`sandbox:web`, `local:ann`), to which alias. A name that is not known any more is the id. */
export const streamPair = { networkId: NetworkId, sourceId: Schema.String, source: Schema.String, alias: Schema.String, port: Schema.Int }

/** Times in milliseconds since the epoch; the rest counts microseconds from the stream's arrival. */
export const Flow = Schema.TaggedStruct("Flow", {
  /** The stream's, the same at both ends. */
  id: Schema.String, ...streamPair, aliasId: AliasId, targetId: Schema.NullOr(SandboxId), target: Schema.String,
  seenBy: Schema.Array(Role), rules: Schema.Array(RuleId), verdict: Schema.Literals(["allowed", "denied"]),
  path: Schema.Literals(["local", "direct", "relay", "unknown"]),
  openedAt: Schema.Finite,
  /** Null: it is open, and so is what follows of its end. */
  closedAt: Schema.NullOr(Schema.Finite), end: Schema.NullOr(FlowEnd), by: Schema.NullOr(Role), error: Schema.NullOr(Schema.String),
  micros: Schema.Finite,
  /** Until the target was reached, and until its first byte; null when it did not come to that. */
  connectMicros: Schema.NullOr(Schema.Finite), firstByteMicros: Schema.NullOr(Schema.Finite),
  bytesToTarget: Schema.Finite, bytesToSource: Schema.Finite
})
export type Flow = typeof Flow.Type

/** Attempts of one source at one alias and port. `by`: the end that refused them. */
export const Refusal = Schema.TaggedStruct("Refusal", {
  ...streamPair, aliasId: Schema.NullOr(AliasId), by: Role, count: Schema.Int, firstAt: Schema.Finite, lastAt: Schema.Finite
})
export type Refusal = typeof Refusal.Type

export const mostFlows = 1000

export const FlowQuery = Schema.Struct({
  networkId: NetworkId,
  /** How far back; every host counts by its own clock. */
  withinMs: Schema.Finite,
  /** At most so many flows that are open, that have ended, and refusals: of each the newest. */
  limit: Schema.Int,
  /** Only what was refused. */
  denied: Schema.Boolean,
  /** Refusals as they were written down, each attempt in one of them, and not added up. */
  apart: Schema.optionalKey(Schema.Boolean),
  /** A name or id; null: all. */
  source: Schema.NullOr(Schema.String), alias: Schema.NullOr(Schema.String), port: Schema.NullOr(Schema.Int)
})
export type FlowQuery = typeof FlowQuery.Type

/** Of what there was more than is told. */
export const Cut = Schema.Struct({ open: Schema.Boolean, ended: Schema.Boolean, refusals: Schema.Boolean })
export type Cut = typeof Cut.Type

/** `lost`: records since the agent's start that were not kept, because they came too fast or could not be written. An older agent does not say what it cut. */
export const FlowAnswer = Schema.Struct({ flows: Schema.Array(Flow), refusals: Schema.Array(Refusal), cut: Schema.optionalKey(Cut), lost: Schema.Int })
export type FlowAnswer = typeof FlowAnswer.Type

/** What the agents of a network tell together. `problem` null: that agent answered. */
export const FlowList = Schema.Struct({
  flows: Schema.Array(Flow), refusals: Schema.Array(Refusal), cut: Cut,
  agents: Schema.Array(Schema.Struct({ agent: Schema.String, problem: Schema.NullOr(Schema.String), lost: Schema.Int }))
})
export type FlowList = typeof FlowList.Type

export const cutKindOf = (record: Flow | Refusal): keyof Cut => record._tag === "Refusal" ? "refusals" : record.closedAt === null ? "open" : "ended"

/** `web`, `sandbox:web` and its id name the same source; `local` every joined machine. */
const isSource = (wanted: string, { source, sourceId }: Flow | Refusal): boolean =>
  wanted === source || wanted === sourceId || `sandbox:${wanted}` === source || wanted === `sandbox:${sourceId}` || (wanted === "local" && source.startsWith("local:"))

/** Whether it is of the sources and targets that were asked for. */
export const isAskedFor = (query: FlowQuery, record: Flow | Refusal): boolean =>
  record.networkId === query.networkId
  && (query.source === null || isSource(query.source, record))
  && (query.alias === null || query.alias === record.alias || query.alias === record.aliasId)
  && (query.port === null || query.port === record.port)
  && (!query.denied || record._tag === "Refusal" || record.verdict === "denied")
