/** Agent to meshd: the objects of `docs/protocol.md`, "Agent to meshd". Field names are meshd's. */
import { Schema } from "effect"
import { AliasId, NetworkId, RuleId, SandboxId } from "../../domain/Ids.ts"

export const protocolVersion = 1

export const Records = Schema.Struct({ count: Schema.Int, rrs: Schema.String })
/** Wire answers by lower-case owner name, then record type number; a name without types answers NODATA. */
export const Zone = Schema.Struct({
  id: Schema.String,
  origins: Schema.Record(Schema.String, Schema.Struct({ soa: Schema.String })),
  names: Schema.Record(Schema.String, Schema.Record(Schema.String, Records))
})
export type Zone = typeof Zone.Type

export const Target = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("sandbox"), sandbox: SandboxId }),
  Schema.Struct({ kind: Schema.Literal("node"), node: Schema.String, address: Schema.String })
])
export type Target = typeof Target.Type

export const PlanNetwork = Schema.Struct({ id: NetworkId, topologyVersion: Schema.Int })
export const PlanSandbox = Schema.Struct({ id: SandboxId, pid: Schema.Int, startTime: Schema.Int, zone: Schema.String })
export const Outbound = Schema.Struct({
  id: Schema.String, sandbox: SandboxId, network: NetworkId, alias: AliasId, address: Schema.String, port: Schema.Int, target: Target,
  rules: Schema.Array(RuleId), expiresAt: Schema.optionalKey(Schema.Number), frozen: Schema.optionalKey(Schema.Boolean)
})
export type Outbound = typeof Outbound.Type
export const Inbound = Schema.Struct({
  id: Schema.String, network: NetworkId, node: Schema.String, source: SandboxId, alias: AliasId, port: Schema.Int, sandbox: SandboxId,
  rules: Schema.Array(RuleId), expiresAt: Schema.optionalKey(Schema.Number), frozen: Schema.optionalKey(Schema.Boolean)
})
export type Inbound = typeof Inbound.Type

export const Plan = Schema.Struct({
  networks: Schema.Array(PlanNetwork), zones: Schema.Array(Zone), sandboxes: Schema.Array(PlanSandbox),
  outbound: Schema.Array(Outbound), inbound: Schema.Array(Inbound)
})
export type Plan = typeof Plan.Type

export interface Changes<A> { readonly upsert: ReadonlyArray<A>; readonly remove: ReadonlyArray<string> }
/** Absent keys have not changed. */
export interface PlanDelta {
  readonly networks?: Changes<Plan["networks"][number]>
  readonly zones?: Changes<Zone>
  readonly sandboxes?: Changes<Plan["sandboxes"][number]>
  readonly outbound?: Changes<Outbound>
  readonly inbound?: Changes<Inbound>
}

export const Hello = Schema.Struct({
  protocol: Schema.Int, version: Schema.String, pid: Schema.Int, instance: Schema.String, generation: Schema.Int,
  capabilities: Schema.Struct({ tun: Schema.Boolean, tunReason: Schema.optionalKey(Schema.String), netns: Schema.Boolean })
})
export type Hello = typeof Hello.Type

export const Applied = Schema.Struct({
  generation: Schema.Int, micros: Schema.Number, closedFlows: Schema.Int,
  sandboxes: Schema.Array(Schema.Struct({ id: SandboxId, ok: Schema.Boolean, error: Schema.optionalKey(Schema.String) }))
})
export type Applied = typeof Applied.Type

export const Peer = Schema.Struct({
  nodeId: Schema.String, address: Schema.String, hostName: Schema.String, online: Schema.Boolean, ready: Schema.Boolean,
  path: Schema.Literals(["direct", "relay", "none"]), endpoint: Schema.optionalKey(Schema.String), relay: Schema.optionalKey(Schema.String)
})
export const NodeStatus = Schema.Struct({
  network: NetworkId, state: Schema.Literals(["starting", "up", "ready", "failed"]), nodeId: Schema.String, address: Schema.String,
  transport: Schema.Literals(["tun", "netstack"]), transportReason: Schema.optionalKey(Schema.String), udpPort: Schema.Int,
  error: Schema.optionalKey(Schema.String), peers: Schema.Array(Peer)
})
export type NodeStatus = typeof NodeStatus.Type

export const MeshdSandbox = Schema.Struct({
  id: SandboxId, state: Schema.Literals(["ready", "failed", "gone"]), listenerPort: Schema.Int, dnsPort: Schema.Int, permitted: Schema.Int,
  error: Schema.optionalKey(Schema.String)
})
export const Flow = Schema.Struct({
  id: Schema.String, direction: Schema.Literals(["outbound", "inbound", "local"]), permit: Schema.String, network: NetworkId, alias: AliasId,
  port: Schema.Int, source: SandboxId, target: Schema.String, rules: Schema.Array(RuleId), peer: Schema.optionalKey(Schema.String),
  openedAt: Schema.Number, bytesToTarget: Schema.Number, bytesToSource: Schema.Number
})
export type Flow = typeof Flow.Type
export const FlowEvent = Schema.Struct({
  ...Flow.fields, phase: Schema.Literals(["opened", "closed"]),
  end: Schema.optionalKey(Schema.Literals(["eof", "reset", "revoked", "refused", "unreachable", "limit"])), error: Schema.optionalKey(Schema.String)
})
export type FlowEvent = typeof FlowEvent.Type

export const MeshdStatus = Schema.Struct({
  instance: Schema.String, generation: Schema.Int, networks: Schema.Array(NodeStatus), sandboxes: Schema.Array(MeshdSandbox),
  flows: Schema.Int, counters: Schema.optionalKey(Schema.Record(Schema.String, Schema.Int)), memory: Schema.Struct({ rssBytes: Schema.Number, heapBytes: Schema.Number, goroutines: Schema.Int })
})
export type MeshdStatus = typeof MeshdStatus.Type

export const ProbeResult = Schema.Struct({
  ok: Schema.Boolean,
  steps: Schema.Array(Schema.Struct({ name: Schema.Literals(["permit", "dial", "verdict", "connect"]), ok: Schema.Boolean, micros: Schema.Number, error: Schema.optionalKey(Schema.String) }))
})
export type ProbeResult = typeof ProbeResult.Type

export const MeshdEvent = Schema.Union([
  Schema.Struct({ event: Schema.Literal("node"), data: NodeStatus }),
  Schema.Struct({ event: Schema.Literal("sandbox"), data: MeshdSandbox }),
  Schema.Struct({ event: Schema.Literal("flow"), data: FlowEvent }),
  Schema.Struct({ event: Schema.Literal("dropped"), data: Schema.Struct({ count: Schema.Int }) })
])
export type MeshdEvent = typeof MeshdEvent.Type
