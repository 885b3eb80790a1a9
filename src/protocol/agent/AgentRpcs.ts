/** Control plane to agent. The answer to `ApplyTopology` is the acknowledgement that receipts are made of: persisted, and in force in meshd. */
import { Schema } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { AliasMetrics } from "../../domain/AliasMetrics.ts"
import { CheckName, CheckResult } from "../../domain/Diagnostic.ts"
import { FlowAnswer, FlowQuery } from "../../domain/Flow.ts"
import { GroupAnswer, GroupQuery } from "../../domain/Flow/groups.ts"
import { NetworkId, SandboxId } from "../../domain/Ids.ts"
import { ClosedStreams } from "../../domain/Receipt.ts"
import { SandboxSpec, SandboxStatus } from "../../domain/Sandbox.ts"
import { UserName } from "../../domain/Selector.ts"
import { Topology, TopologyDelta } from "../../domain/Topology.ts"
import { Hop, hopNames } from "../../domain/Trace.ts"
import { SightRpcs } from "../sight/SightRpcs.ts"

/** The delta's base is not what the agent has: send a snapshot. `have` is null when it has nothing. */
export class SnapshotNeeded extends Schema.TaggedError<SnapshotNeeded>()("SnapshotNeeded", { networkId: NetworkId, have: Schema.NullOr(Schema.Int) }) {}
/** Stored on the agent's disk, but not in force yet (meshd away, say); the agent goes on trying and a later call acknowledges. */
export class NotApplied extends Schema.TaggedError<NotApplied>()("NotApplied", { networkId: NetworkId, version: Schema.Int, reason: Schema.String }) {}
export class SandboxStartFailed extends Schema.TaggedError<SandboxStartFailed>()("SandboxStartFailed", { reason: Schema.String, hint: Schema.String }) {}
export class UnknownSandbox extends Schema.TaggedError<UnknownSandbox>()("UnknownSandbox", { id: SandboxId }) {}

export const TopologyUpdate = Schema.Union([
  Schema.TaggedStruct("Snapshot", { topology: Topology }),
  Schema.TaggedStruct("Delta", { delta: TopologyDelta })
])
export type TopologyUpdate = typeof TopologyUpdate.Type

/** How long it took from the receipt of the message, and which streams it closed, if any. */
const Enforced = Schema.Struct({ micros: Schema.Number, closed: Schema.optionalKey(ClosedStreams) })
export type Enforced = typeof Enforced.Type

/** The network's version whose answer is stored: what later answers closed is told again, until one of them is. */
const acknowledged = Schema.optionalKey(Schema.Int)

/** What the agent is told to do; `AgentRpcs` adds the sight of its actors. */
export class TaskRpcs extends RpcGroup.make(
  Rpc.make("ApplyTopology", {
    payload: { update: TopologyUpdate, acknowledged }, success: Schema.Struct({ networkId: NetworkId, version: Schema.Int, ...Enforced.fields }),
    error: Schema.Union([SnapshotNeeded, NotApplied])
  }),
  /** The agent no longer takes part: withdraw, and leave the mesh. Idempotent. One that answers nothing does not say what it closed. */
  Rpc.make("DropNetwork", { payload: { networkId: NetworkId, acknowledged }, success: Schema.Union([Enforced, Schema.Void]) }),
  /** Networks (and versions) that the agent has; the rest of its cache is to be dropped. */
  Rpc.make("Inventory", { success: Schema.Array(Schema.Struct({ networkId: NetworkId, version: Schema.Int, joined: Schema.Boolean })) }),
  /** Answers once the program runs with its network in force. Idempotent by id. */
  Rpc.make("StartSandbox", { payload: { id: SandboxId, name: Schema.String, spec: SandboxSpec }, success: SandboxStatus, error: SandboxStartFailed }),
  /** TERM, after ten seconds KILL; answers when it has ended. Idempotent. */
  Rpc.make("StopSandbox", { payload: { id: SandboxId }, success: SandboxStatus, error: UnknownSandbox }),
  /** Stops it and forgets it, logs and all. Idempotent. */
  Rpc.make("RemoveSandbox", { payload: { id: SandboxId } }),
  Rpc.make("SandboxLogs", {
    payload: { id: SandboxId, maxBytes: Schema.Int }, success: Schema.Struct({ text: Schema.String, truncated: Schema.Boolean }), error: UnknownSandbox
  }),
  /** One check of `network test`, seen from this agent. `source` null means a developer's machine, of `user` where one is named. */
  Rpc.make("RunCheck", {
    payload: { check: CheckName, networkId: NetworkId, version: Schema.Int, role: Schema.Literals(["source", "target"]), source: Schema.NullOr(SandboxId), user: Schema.optionalKey(UserName), alias: Schema.String, port: Schema.Int },
    success: Schema.Struct({ ...CheckResult.fields, /** The agent's clock when it answered, in milliseconds since the epoch. */ clockMs: Schema.optionalKey(Schema.Finite) })
  }),
  /** Goes the way of a stream from a sandbox of this agent, as far as it gets. */
  Rpc.make("Trace", {
    payload: { networkId: NetworkId, version: Schema.Int, source: SandboxId, alias: Schema.String, port: Schema.Int, firstByteMs: Schema.Int },
    success: Schema.Array(Hop).check(Schema.isMaxLength(hopNames.length))
  }),
  /** The flows and refusals of one network that this agent has seen. */
  Rpc.make("Flows", { payload: FlowQuery, success: FlowAnswer }),
  /** All of them added up, however many they are. */
  Rpc.make("FlowGroups", { payload: GroupQuery, success: GroupAnswer }),
  /** What this agent has counted for the aliases of one network, or of all, since its start. */
  Rpc.make("AliasMetrics", { payload: { networkId: Schema.NullOr(NetworkId) }, success: Schema.Array(AliasMetrics) })
) {}

export class AgentRpcs extends TaskRpcs.merge(SightRpcs) {}
