/** Control plane to agent. The answer to `ApplyTopology` is the acknowledgement that receipts are made of: persisted, and in force in meshd. */
import { Schema } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { CheckName, CheckResult } from "../../domain/Diagnostic.ts"
import { NetworkId, SandboxId } from "../../domain/Ids.ts"
import { SandboxSpec, SandboxStatus } from "../../domain/Sandbox.ts"
import { Topology, TopologyDelta } from "../../domain/Topology.ts"

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

export class AgentRpcs extends RpcGroup.make(
  Rpc.make("ApplyTopology", {
    payload: { update: TopologyUpdate }, success: Schema.Struct({ networkId: NetworkId, version: Schema.Int, micros: Schema.Number }),
    error: Schema.Union([SnapshotNeeded, NotApplied])
  }),
  /** The agent no longer takes part: withdraw, and leave the mesh. Idempotent. */
  Rpc.make("DropNetwork", { payload: { networkId: NetworkId } }),
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
  /** One check of `network test`, seen from this agent. `source` null means a developer's machine. */
  Rpc.make("RunCheck", {
    payload: { check: CheckName, networkId: NetworkId, version: Schema.Int, role: Schema.Literals(["source", "target"]), source: Schema.NullOr(SandboxId), alias: Schema.String, port: Schema.Int },
    success: CheckResult
  })
) {}
