/** The RPC client of the user's background process. Calls end within a limit; streams end with the connection. */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import { Effect, Layer, type Scope, Stream } from "effect"
import { RpcClient, RpcClientError, RpcSerialization } from "effect/rpc"
import type { NetworkName } from "../../domain/DnsLabel.ts"
import {
  type CommandPlace, type CommandRequest, type CommandStatus, type ForwardRequest, type ForwardStatus, type JoinStatus, LocalProcessRpcs, MeshRefused, type MeshStatus,
  type PublicationRequest, type PublicationStatus
} from "../../protocol/local/MeshRpcs.ts"
import { NoSuchActor } from "../../protocol/sight/SightRpcs.ts"
import { failed, type Failure, loginNeeded, notFound } from "../Failure.ts"
import { why } from "../LocalAgent/client.ts"
import { type Looking, looking, noSuchActor } from "../Looking.ts"

export interface Client extends Looking {
  readonly status: Effect.Effect<MeshStatus, Failure>
  readonly join: (request: { readonly network: NetworkName; readonly url: string; readonly token: string }) => Effect.Effect<JoinStatus, Failure>
  readonly leave: (network: string) => Effect.Effect<JoinStatus, Failure>
  readonly forward: (request: ForwardRequest) => Stream.Stream<ForwardStatus, Failure>
  readonly publish: (request: PublicationRequest) => Effect.Effect<PublicationStatus, Failure>
  readonly unpublish: (network: string, alias: string) => Effect.Effect<PublicationStatus, Failure>
  readonly forwardAll: (request: { readonly network: string; readonly keep: boolean }) => Stream.Stream<ReadonlyArray<ForwardStatus>, Failure>
  readonly place: (network: string) => Effect.Effect<CommandPlace, Failure>
  readonly exec: (request: CommandRequest) => Stream.Stream<CommandStatus, Failure>
  readonly unforward: (id: string) => Effect.Effect<ReadonlyArray<ForwardStatus>, Failure>
}

const callMs = 5_000
const joinMs = 40_000
const leaveMs = 20_000

const missing = new Set(["not-joined", "no-forward", "not-published", "network-not-found"])
type Refusal = MeshRefused | NoSuchActor
const explain = (error: RpcClientError.RpcClientError | Refusal): Failure => {
  if (error instanceof NoSuchActor) return noSuchActor(error)
  if (!(error instanceof MeshRefused)) return away(why(error))
  if (error.code === "unauthorized") return loginNeeded(error.message, error.hint)
  return missing.has(error.code) ? notFound(error.code, error.message, error.hint) : failed(error.code, "Not possible", error.message, error.hint)
}
const away = (reason: string): Failure =>
  failed("background-away", "The background process does not answer", `the background process of gstacks mesh does not answer: ${reason}`, "gstacks mesh status")

export const connect = (socket: string): Effect.Effect<Client, Failure, Scope.Scope> => Effect.gen(function*() {
  const context = yield* Layer.build(
    RpcClient.layerProtocolSocket().pipe(Layer.provide([RpcSerialization.layerNdjson, NodeSocket.layerNet({ path: socket })]))
  ).pipe(Effect.mapError((error) => away(error.message)))
  const rpc = yield* Effect.provideContext(RpcClient.make(LocalProcessRpcs), context)
  const bounded = <A>(call: Effect.Effect<A, RpcClientError.RpcClientError | Refusal>, withinMs = callMs) => call.pipe(
    Effect.mapError(explain),
    Effect.catchDefect(() => Effect.fail(away("it does not know this question; is it of another version?"))),
    Effect.timeoutOrElse({ duration: withinMs, orElse: () => Effect.fail(away(`no answer within ${withinMs / 1000} s`)) }))
  return {
    ...looking(rpc, bounded, callMs),
    status: bounded(rpc.Status()),
    join: (request) => bounded(rpc.Join(request), joinMs),
    leave: (network) => bounded(rpc.Leave({ network }), leaveMs),
    forward: (request) => rpc.Forward(request).pipe(Stream.mapError(explain)),
    forwardAll: (request) => rpc.ForwardAll(request).pipe(Stream.mapError(explain)),
    place: (network) => bounded(rpc.Place({ network })),
    exec: (request) => rpc.Exec(request).pipe(Stream.mapError(explain)),
    publish: (request) => bounded(rpc.Publish(request), joinMs),
    unpublish: (network, alias) => bounded(rpc.Unpublish({ network, alias }), leaveMs),
    unforward: (id) => bounded(rpc.Unforward({ id }), leaveMs)
  }
})
