/** Agent to meshd: the objects of `docs/protocol.md`, "Agent to meshd". Field names are meshd's. */
import { Schema } from "effect"
import { FlowEnd } from "../../domain/Flow.ts"
import { AliasId, NetworkId, RuleId, SandboxId, SourceId } from "../../domain/Ids.ts"
import { LimitTerms } from "../../domain/Limit.ts"

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

/** Of the streams of all permits that name its id. */
export const PermitLimit = Schema.Struct({ id: Schema.String, name: Schema.String, ...LimitTerms.fields })
export type PermitLimit = typeof PermitLimit.Type

export const PlanNetwork = Schema.Struct({ id: NetworkId, topologyVersion: Schema.Int })
export const PlanSandbox = Schema.Struct({ id: SandboxId, pid: Schema.Int, startTime: Schema.Int, zone: Schema.String })
/** `source`: whom the target's permits name, if that is not the sandbox itself. */
export const Outbound = Schema.Struct({
  id: Schema.String, sandbox: SourceId, source: Schema.optionalKey(SourceId), network: NetworkId, alias: AliasId, address: Schema.String, port: Schema.Int, target: Target,
  rules: Schema.Array(RuleId), expiresAt: Schema.optionalKey(Schema.Number), frozen: Schema.optionalKey(Schema.Boolean),
  limits: Schema.optionalKey(Schema.Array(PermitLimit))
})
export type Outbound = typeof Outbound.Type
export const Inbound = Schema.Struct({
  id: Schema.String, network: NetworkId, node: Schema.String, source: SourceId, alias: AliasId, port: Schema.Int,
  /** One of them: a sandbox of this host, or a port of a developer's own machine. */
  sandbox: Schema.optionalKey(SandboxId), loopback: Schema.optionalKey(Schema.Int),
  rules: Schema.Array(RuleId), expiresAt: Schema.optionalKey(Schema.Number), frozen: Schema.optionalKey(Schema.Boolean),
  limits: Schema.optionalKey(Schema.Array(PermitLimit))
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

/** The streams of a network that an apply reset, by the names that their sources gave them; `before`: the topology version until then. */
export const Closed = Schema.Struct({
  network: NetworkId, before: Schema.Int, outbound: Schema.Array(Schema.String), inbound: Schema.Array(Schema.String), lastMicros: Schema.Number
})
export type Closed = typeof Closed.Type

export const Applied = Schema.Struct({
  generation: Schema.Int, micros: Schema.Number, closedFlows: Schema.Int, closed: Schema.Array(Closed),
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
  id: Schema.String, stream: Schema.String, direction: Schema.Literals(["outbound", "inbound", "local"]), permit: Schema.String, network: NetworkId, alias: AliasId,
  port: Schema.Int, source: SourceId, target: Schema.String, rules: Schema.Array(RuleId), peer: Schema.optionalKey(Schema.String),
  openedAt: Schema.Number, bytesToTarget: Schema.Number, bytesToSource: Schema.Number,
  micros: Schema.Number, connectMicros: Schema.optionalKey(Schema.Number), firstByteMicros: Schema.optionalKey(Schema.Number)
})
export type Flow = typeof Flow.Type
/** Open flows of one permit, with what is known of the newest of them. */
export const OpenFlows = Schema.Struct({
  direction: Flow.fields.direction, network: NetworkId, alias: AliasId, port: Schema.Int, source: SourceId, target: Schema.String, rules: Schema.Array(RuleId),
  openedAt: Schema.Number, firstOpenedAt: Schema.Number, count: Schema.Int
})
export type OpenFlows = typeof OpenFlows.Type
/** `left`: open flows of permits that are not told. */
export const FlowCounts = Schema.Struct({ permits: Schema.Array(OpenFlows), left: Schema.Int })
export type FlowCounts = typeof FlowCounts.Type
export const FlowEvent = Schema.Struct({
  ...Flow.fields, phase: Schema.Literals(["opened", "closed"]),
  end: Schema.optionalKey(FlowEnd), by: Schema.optionalKey(Schema.Literals(["source", "target"])), error: Schema.optionalKey(Schema.String)
})
export type FlowEvent = typeof FlowEvent.Type

/** Since the call before: what the kernel refused sandboxes, and meshd its peers, by what those claimed. */
export const Refusals = Schema.Struct({
  outbound: Schema.Array(Schema.Struct({ sandbox: SandboxId, address: Schema.String, port: Schema.Int, count: Schema.Int })),
  inbound: Schema.Array(Schema.Struct({ network: NetworkId, node: Schema.String, source: Schema.String, alias: Schema.String, port: Schema.Int, count: Schema.Int }))
})
export type Refusals = typeof Refusals.Type

/** Which HTTP requests a forward lets in: to one of the hosts (lower case, without a port; none: any), and with the token whose SHA-256 this is, in hex. */
export const ForwardGuard = Schema.Struct({ hosts: Schema.optionalKey(Schema.Array(Schema.String)), tokenSha256: Schema.optionalKey(Schema.String) })
export type ForwardGuard = typeof ForwardGuard.Type
/** An address of a developer's machine (`127.0.0.1:18080`, `unix:/path`) that leads to what `source` may reach at address and port. */
export const Forward = Schema.Struct({
  id: Schema.String, listen: Schema.String, source: SourceId, address: Schema.String, port: Schema.Int, guard: Schema.optionalKey(ForwardGuard)
})
export type Forward = typeof Forward.Type
/** `bound` is where it listens; `waiting` connections have no way yet; `refused` were those that the guard did not let in. */
export const ForwardState = Schema.Struct({
  ...Forward.fields, bound: Schema.String, waiting: Schema.Int, open: Schema.Int, total: Schema.Int, refused: Schema.Int,
  bytesToTarget: Schema.Number, bytesToSource: Schema.Number, lastError: Schema.optionalKey(Schema.String)
})
export type ForwardState = typeof ForwardState.Type

export const MeshdStatus = Schema.Struct({
  instance: Schema.String, generation: Schema.Int, networks: Schema.Array(NodeStatus), sandboxes: Schema.Array(MeshdSandbox),
  flows: Schema.Int, descriptors: Schema.optionalKey(Schema.Struct({ open: Schema.Int, limit: Schema.Int })), counters: Schema.optionalKey(Schema.Record(Schema.String, Schema.Int)), memory: Schema.Struct({ rssBytes: Schema.Number, heapBytes: Schema.Number, goroutines: Schema.Int })
})
export type MeshdStatus = typeof MeshdStatus.Type

/** In the order in which a stream takes them; see `docs/protocol.md`. */
export const probeSteps = ["resolve", "enter", "permit", "dial", "roundTrip", "verdict", "connect", "firstByte", "fullSize"] as const
export type ProbeStepName = typeof probeSteps[number]
export const ProbeStep = Schema.Struct({ name: Schema.Literals(probeSteps), ok: Schema.Boolean, micros: Schema.Number, error: Schema.optionalKey(Schema.String) })
export type ProbeStep = typeof ProbeStep.Type
export const ProbeResult = Schema.Struct({
  ok: Schema.Boolean, steps: Schema.Array(ProbeStep), peer: Schema.optionalKey(Peer),
  pings: Schema.optionalKey(Schema.Struct({ sent: Schema.Int, received: Schema.Int, medianMicros: Schema.Number }))
})
export type ProbeResult = typeof ProbeResult.Type

export const MeshdEvent = Schema.Union([
  Schema.Struct({ event: Schema.Literal("node"), data: NodeStatus }),
  Schema.Struct({ event: Schema.Literal("sandbox"), data: MeshdSandbox }),
  Schema.Struct({ event: Schema.Literal("flow"), data: FlowEvent }),
  Schema.Struct({ event: Schema.Literal("dropped"), data: Schema.Struct({ count: Schema.Int }) })
])
export type MeshdEvent = typeof MeshdEvent.Type
