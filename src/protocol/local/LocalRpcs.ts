/** The agent's Unix socket (mode 0600 in a directory of mode 0700): what works without the control plane. One effect/rpc group, newline-delimited JSON (`RpcSerialization.layerNdjson`). */
import { Schema } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { AgentName } from "../../domain/DnsLabel.ts"
import { AgentId, NetworkId } from "../../domain/Ids.ts"
import { SandboxStatus } from "../../domain/Sandbox.ts"

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

export const ActorState = Schema.Struct({
  address: Schema.String, kind: Schema.String, machine: Schema.NullOr(Schema.String), state: Schema.String, since: Schema.Number,
  restarts: Schema.Int, mailbox: Schema.Int, lastError: Schema.NullOr(Schema.String)
})

export class LocalRpcs extends RpcGroup.make(
  Rpc.make("Status", { success: LocalStatus }),
  Rpc.make("Actors", { success: Schema.Array(ActorState) }),
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
