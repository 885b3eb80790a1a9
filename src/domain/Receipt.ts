/** Receipts: which version a change made, and who has applied it. `elapsedMs` runs from the commit to the last acknowledgement. */
import { Schema } from "effect"
import { AgentName, NetworkName } from "./DnsLabel.ts"
import { NetworkId } from "./Ids.ts"

/** `pending` names the agents that still lack the version, with the reason where one is known. */
export const Receipt = Schema.Struct({
  networkId: NetworkId, network: NetworkName, version: Schema.Int,
  applied: Schema.Int, participants: Schema.Int, elapsedMs: Schema.NullOr(Schema.Number),
  pending: Schema.Array(Schema.Struct({ agent: AgentName, online: Schema.Boolean, reason: Schema.String }))
})
export type Receipt = typeof Receipt.Type

/** What a receipt may wait for. `ready`: the first stream between any two hosts would go through at once. */
export const ReceiptUntil = Schema.Literals(["applied", "ready"])
export type ReceiptUntil = typeof ReceiptUntil.Type

export const isComplete = (receipt: Receipt): boolean => receipt.pending.length === 0

/** What was stored; the receipt follows by version. */
export const Change = Schema.Struct({ networkId: NetworkId, network: NetworkName, version: Schema.Int })
export type Change = typeof Change.Type
