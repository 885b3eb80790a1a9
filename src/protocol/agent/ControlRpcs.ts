/**
 * Agent to control plane, on the WebSocket at `/api/v1/agent` that the agent dials with its credential as bearer token.
 * `Attach` and `Reply` carry the reverse direction (`AgentRpcs.ts`): protocol messages of a second RpcGroup.
 */
import { Context, Schema } from "effect"
import { Rpc, RpcGroup, RpcMiddleware } from "effect/rpc"
import { HostFacts } from "../../domain/Agent.ts"
import { AgentName } from "../../domain/DnsLabel.ts"
import { AgentId, NetworkId, SandboxId } from "../../domain/Ids.ts"
import { MeshUnavailable, StoreUnavailable } from "../../domain/Problems.ts"
import { SandboxSpec, SandboxStatus } from "../../domain/Sandbox.ts"

export class AgentIdentity extends Context.Service<AgentIdentity, { readonly id: AgentId; readonly name: AgentName }>()("gstacks/protocol/AgentIdentity") {}

export class NotYours extends Schema.TaggedError<NotYours>()("NotYours", { message: Schema.String }) {}
export class CredentialRefused extends Schema.TaggedError<CredentialRefused>()("CredentialRefused", { message: Schema.String }) {}

export class AgentAuthorization extends RpcMiddleware.Service<AgentAuthorization, { provides: AgentIdentity }>()("gstacks/protocol/AgentAuthorization", {
  error: CredentialRefused
}) {}

/** A single-use, short-lived preauth key and where to use it. */
export const JoinGrant = Schema.Struct({ authKey: Schema.String, controlUrl: Schema.String, hostname: Schema.String, expiresAt: Schema.Number })
export type JoinGrant = typeof JoinGrant.Type

/** Of one host. */
const mostSandboxes = 16_384

export class ControlRpcs extends RpcGroup.make(
  Rpc.make("Attach", { payload: { facts: HostFacts, sandboxes: Schema.Array(SandboxStatus).check(Schema.isMaxLength(mostSandboxes)) }, success: Schema.Json, stream: true }),
  Rpc.make("Reply", { payload: { message: Schema.Json } }),
  /** The agent has no usable mesh state for this network. */
  Rpc.make("MintJoinKey", { payload: { networkId: NetworkId }, success: JoinGrant, error: Schema.Union([NotYours, MeshUnavailable, StoreUnavailable]) }),
  /** The node is up: the control plane looks its id and address up by the key it minted, never by the agent's word, and publishes them. */
  Rpc.make("ReportJoined", {
    payload: { networkId: NetworkId }, success: Schema.Struct({ nodeId: Schema.String, address: Schema.String }),
    error: Schema.Union([NotYours, MeshUnavailable, StoreUnavailable])
  }),
  Rpc.make("ReportSandbox", { payload: { status: SandboxStatus }, error: Schema.Union([NotYours, StoreUnavailable]) }),
  /** The sandboxes that the agent ought to have; asked after every attach. */
  Rpc.make("DesiredSandboxes", {
    success: Schema.Array(Schema.Struct({ id: SandboxId, name: Schema.String, spec: SandboxSpec, run: Schema.Boolean })), error: StoreUnavailable
  })
).middleware(AgentAuthorization) {}
