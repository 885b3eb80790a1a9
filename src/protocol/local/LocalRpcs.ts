/** The agent's Unix socket (mode 0600 in a directory of mode 0700): what works without the control plane. One effect/rpc group, newline-delimited JSON (`RpcSerialization.layerNdjson`). */
import { Schema } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { Contact } from "../../domain/Contact.ts"
import { AgentName } from "../../domain/DnsLabel.ts"
import { AgentId, NetworkId } from "../../domain/Ids.ts"
import { SandboxStatus } from "../../domain/Sandbox.ts"
import { SightRpcs } from "../sight/SightRpcs.ts"

export class NoSuchSandbox extends Schema.TaggedError<NoSuchSandbox>()("NoSuchSandbox", { message: Schema.String, hint: Schema.String }) {}
export class ExecFailed extends Schema.TaggedError<ExecFailed>()("ExecFailed", { message: Schema.String, hint: Schema.String }) {}

export const LocalNetworkStatus = Schema.Struct({
  networkId: NetworkId, name: Schema.String, version: Schema.Int, state: Schema.String, join: Schema.String,
  nodeId: Schema.NullOr(Schema.String), transport: Schema.NullOr(Schema.String), peersReady: Schema.Int, peers: Schema.Int
})

export const LocalStatus = Schema.Struct({
  agentId: Schema.NullOr(AgentId), agent: Schema.NullOr(AgentName), version: Schema.String, pid: Schema.Int,
  link: Schema.Struct({ state: Schema.String, controlUrl: Schema.String, since: Schema.String, lastError: Schema.NullOr(Schema.String) }),
  dataPlane: Schema.Struct({ state: Schema.String, generation: Schema.Int, meshdPid: Schema.NullOr(Schema.Int), lastError: Schema.NullOr(Schema.String) }),
  dns: Schema.Struct({ state: Schema.String, address: Schema.String }),
  contact: Schema.optionalKey(Contact),
  sandboxes: Schema.Array(SandboxStatus), networks: Schema.Array(LocalNetworkStatus)
})
export type LocalStatus = typeof LocalStatus.Type

const Bytes = Schema.Uint8ArrayFromBase64

export const ExecOutput = Schema.Union([
  Schema.TaggedStruct("Started", { execId: Schema.String }),
  Schema.TaggedStruct("Stdout", { bytes: Bytes }),
  Schema.TaggedStruct("Stderr", { bytes: Bytes }),
  Schema.TaggedStruct("Exited", { code: Schema.Int })
])
export type ExecOutput = typeof ExecOutput.Type

export class InspectFailed extends Schema.TaggedError<InspectFailed>()("InspectFailed", { message: Schema.String, hint: Schema.String }) {}

/** What the agent alone can do, and how it is; `LocalRpcs` adds the sight of its actors. */
export class HostRpcs extends RpcGroup.make(
  Rpc.make("Status", { success: LocalStatus }),
  /** What this agent has counted for the aliases of its networks since its start, as OpenMetrics text: for a scraper on the host. */
  Rpc.make("Metrics", { success: Schema.String }),
  /** Serves the inspector page of this agent on the loopback, for so long. The token opens it; asking again gives a further one. */
  Rpc.make("Inspect", {
    payload: { forMs: Schema.Int }, success: Schema.Struct({ url: Schema.String, token: Schema.String, expiresAt: Schema.Number }), error: InspectFailed
  }),
  /** Runs a program in a sandbox without privileges. First `Started`, last `Exited`. Interrupting the stream ends the program. */
  Rpc.make("Exec", {
    payload: { sandbox: Schema.String, command: Schema.NonEmptyArray(Schema.String), env: Schema.Record(Schema.String, Schema.String), stdin: Schema.Boolean },
    success: ExecOutput, error: Schema.Union([NoSuchSandbox, ExecFailed]), stream: true
  }),
  /** `bytes` null closes its standard input. */
  Rpc.make("ExecInput", { payload: { execId: Schema.String, bytes: Schema.NullOr(Bytes) }, error: ExecFailed }),
  Rpc.make("ExecSignal", { payload: { execId: Schema.String, signal: Schema.Literals(["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]) }, error: ExecFailed }),
  Rpc.make("Logs", { payload: { sandbox: Schema.String, follow: Schema.Boolean }, success: Schema.String, error: NoSuchSandbox, stream: true })
) {}

export class LocalRpcs extends HostRpcs.merge(SightRpcs) {}
