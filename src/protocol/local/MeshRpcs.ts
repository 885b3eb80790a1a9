/** The socket of a user's own background process that joins networks (mode 0600 in a directory of mode 0700). One effect/rpc group, newline-delimited JSON. */
import { Schema } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { AliasName, NetworkName, Port } from "../../domain/DnsLabel.ts"
import { LocalNodeId, NetworkId, RuleId, SandboxId } from "../../domain/Ids.ts"
import { ForSeconds } from "../../domain/Publication.ts"
import { ForwardGuard } from "../meshd/Messages.ts"
import { SightRpcs } from "../sight/SightRpcs.ts"

/** What was asked for cannot be; the hint is the next command. */
export class MeshRefused extends Schema.TaggedError<MeshRefused>()("MeshRefused", { code: Schema.String, message: Schema.String, hint: Schema.String }) {}

/** An agent behind an alias that this machine may reach. `path` null: no connection is in use now. */
export const AgentPath = Schema.Struct({
  agent: Schema.String, address: Schema.NullOr(Schema.String), path: Schema.NullOr(Schema.Literals(["direct", "relayed"])), rttMicros: Schema.NullOr(Schema.Number)
})

export const JoinState = Schema.Literals(["joining", "joined", "degraded", "expired", "revoked", "leaving"])
/** `reason` and `next` when it is not joined. */
export const JoinStatus = Schema.Struct({
  network: Schema.String, networkId: Schema.NullOr(NetworkId), controlUrl: Schema.String, user: Schema.NullOr(Schema.String),
  state: JoinState, reason: Schema.NullOr(Schema.String), next: Schema.NullOr(Schema.String),
  id: Schema.NullOr(LocalNodeId), address: Schema.NullOr(Schema.String), since: Schema.String, expiresAt: Schema.NullOr(Schema.String),
  version: Schema.NullOr(Schema.Int), agents: Schema.Array(AgentPath)
})
export type JoinStatus = typeof JoinStatus.Type

export const ForwardState = Schema.Literals(["opening", "listening", "denied", "waiting", "refused", "closed"])
/** `all`: one of those that forward the whole network. `refused` counts requests that the guard did not let in. */
export const ForwardStatus = Schema.Struct({
  id: Schema.String, network: Schema.String, alias: AliasName, port: Port, listen: Schema.String, kept: Schema.Boolean, all: Schema.Boolean,
  state: ForwardState, reason: Schema.NullOr(Schema.String), rules: Schema.Array(RuleId), since: Schema.String,
  open: Schema.Int, waiting: Schema.Int, total: Schema.Int, bytesToTarget: Schema.Number, bytesToSource: Schema.Number,
  guard: Schema.NullOr(ForwardGuard), refused: Schema.Int
})
export type ForwardStatus = typeof ForwardStatus.Type

/** `outside`: what the command asks for is refused for the moment. */
export const CommandState = Schema.Literals(["entering", "inside", "outside", "left"])
/** A command that sees a network as a sandbox would. `pid` is its own. */
export const CommandStatus = Schema.Struct({
  id: SandboxId, network: Schema.String, program: Schema.String, pid: Schema.Int, since: Schema.String, state: CommandState, reason: Schema.NullOr(Schema.String)
})
export type CommandStatus = typeof CommandStatus.Type

/** What a command's namespaces are made of: below the user namespace of process `pid`, with files in place of the machine's, and folders that are empty. */
export const CommandPlace = Schema.Struct({
  pid: Schema.Int, files: Schema.Array(Schema.Struct({ source: Schema.String, target: Schema.String })), empty: Schema.Array(Schema.String)
})
export type CommandPlace = typeof CommandPlace.Type

export const PublicationState = Schema.Literals(["publishing", "published", "ending", "ended"])
/** `port` of the alias leads to `local` of this machine's loopback; `open`: streams. Times are ISO 8601. */
export const PublicationStatus = Schema.Struct({
  network: Schema.String, alias: AliasName, port: Port, local: Port, state: PublicationState, reason: Schema.NullOr(Schema.String),
  since: Schema.String, expiresAt: Schema.NullOr(Schema.String), rules: Schema.Array(RuleId), open: Schema.Int
})
export type PublicationStatus = typeof PublicationStatus.Type

export const MeshStatus = Schema.Struct({
  pid: Schema.Int, version: Schema.String, since: Schema.String, networks: Schema.Array(JoinStatus), forwards: Schema.Array(ForwardStatus), commands: Schema.Array(CommandStatus),
  published: Schema.Array(PublicationStatus)
})
export type MeshStatus = typeof MeshStatus.Type

/** `listen` null: at the alias's own port of 127.0.0.1 when that is free, else at any. */
const forwardWish = { network: Schema.String, alias: AliasName, port: Port, listen: Schema.NullOr(Schema.String), guard: Schema.NullOr(ForwardGuard) }
export const ForwardRequest = Schema.Struct({ ...forwardWish, keep: Schema.Boolean })
export type ForwardRequest = typeof ForwardRequest.Type

export const PublicationRequest = Schema.Struct({ network: Schema.String, alias: AliasName, port: Port, local: Port, forSeconds: ForSeconds })
export type PublicationRequest = typeof PublicationRequest.Type

export const CommandRequest = Schema.Struct({ network: Schema.String, pid: Schema.Int, program: Schema.String })
export type CommandRequest = typeof CommandRequest.Type

/** What the user's commands ask for; `LocalProcessRpcs` adds the sight of its actors. */
export class MeshRpcs extends RpcGroup.make(
  Rpc.make("Status", { success: MeshStatus }),
  /** Answers once it is joined, refused, or has not come that far within 30 s. Joining again what is joined only tells its state. */
  Rpc.make("Join", { payload: { network: NetworkName, url: Schema.String, token: Schema.String }, success: JoinStatus, error: MeshRefused }),
  /** Its forwards go with it. The process ends with its last network. */
  Rpc.make("Leave", { payload: { network: Schema.String }, success: JoinStatus, error: MeshRefused }),
  /** Tells how the forward is, first once it listens, then at each change. With `keep` that is all, and it stays; otherwise it ends with the stream. */
  Rpc.make("Forward", { payload: ForwardRequest, success: ForwardStatus, error: MeshRefused, stream: true }),
  /** Answers once it is in force, or refused. Publishing again what is published sets its end anew. */
  Rpc.make("Publish", { payload: PublicationRequest, success: PublicationStatus, error: MeshRefused }),
  Rpc.make("Unpublish", { payload: { network: Schema.String, alias: Schema.String }, success: PublicationStatus, error: MeshRefused }),
  /** The same for whatever this user may reach in the network, now and later: all of them, at each change of one. */
  Rpc.make("ForwardAll", { payload: { network: Schema.String, keep: Schema.Boolean }, success: Schema.Array(ForwardStatus), error: MeshRefused, stream: true }),
  /** By a forward's id, or `<network>/all`. Answers those that were closed. */
  Rpc.make("Unforward", { payload: { id: Schema.String }, success: Schema.Array(ForwardStatus), error: MeshRefused }),
  Rpc.make("Place", { payload: { network: Schema.String }, success: CommandPlace, error: MeshRefused }),
  /** Serves the network namespace of process `pid` while the stream is read; tells of it first once it is served, then at each change. The process does not run before. */
  Rpc.make("Exec", { payload: CommandRequest, success: CommandStatus, error: MeshRefused, stream: true })
) {}

export class LocalProcessRpcs extends MeshRpcs.merge(SightRpcs) {}
