/**
 * Receipts: which version a change made, who has applied it, and which open connections that has cost. `elapsedMs` runs from the
 * commit to the last acknowledgement.
 */
import { Schema } from "effect"
import { AgentName, NetworkName } from "./DnsLabel.ts"
import { NetworkId } from "./Ids.ts"

/** The most that an acknowledgement names of each side; what it closed beyond that is not counted. */
export const mostNamedStreams = 20_000
const Streams = Schema.Array(Schema.String.check(Schema.isMaxLength(64))).check(Schema.isMaxLength(mostNamedStreams))

/**
 * The streams that an agent closed because a version took away what allowed them, by the names that their sources gave them: those
 * that began on its host, and those that came to it. `lastMs`: from the receipt of the version to the end of the last, by the agent's own clock.
 */
export const ClosedStreams = Schema.Struct({ asSource: Streams, asTarget: Streams, lastMs: Schema.Number })
export type ClosedStreams = typeof ClosedStreams.Type

/**
 * What a version closed, as far as agents have acknowledged it. A connection that both of its ends closed counts once; `agents` says how
 * many each one closed itself. `lastByteMs`: from the commit until the last one had ended, at most; null when this control plane did not see the commit.
 */
export const ClosedConnections = Schema.Struct({
  connections: Schema.Int, lastByteMs: Schema.NullOr(Schema.Number),
  agents: Schema.Array(Schema.Struct({ agent: AgentName, asSource: Schema.Int, asTarget: Schema.Int }))
})
export type ClosedConnections = typeof ClosedConnections.Type

/** `pending` names the agents that still lack the version, with the reason where one is known. */
export const Receipt = Schema.Struct({
  networkId: NetworkId, network: NetworkName, version: Schema.Int,
  applied: Schema.Int, participants: Schema.Int, elapsedMs: Schema.NullOr(Schema.Number),
  pending: Schema.Array(Schema.Struct({ agent: AgentName, online: Schema.Boolean, reason: Schema.String })),
  closed: Schema.optionalKey(ClosedConnections)
})
export type Receipt = typeof Receipt.Type

/** What a receipt may wait for. `ready`: the first stream between any two hosts would go through at once. */
export const ReceiptUntil = Schema.Literals(["applied", "ready"])
export type ReceiptUntil = typeof ReceiptUntil.Type

export const isComplete = (receipt: Receipt): boolean => receipt.pending.length === 0

/** What was stored; the receipt follows by version. */
export const Change = Schema.Struct({ networkId: NetworkId, network: NetworkName, version: Schema.Int })
export type Change = typeof Change.Type
