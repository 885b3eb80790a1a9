/** The RPC client of one agent's Unix socket. Calls end within a limit; streams end with the connection. */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import { Effect, Layer, type Scope, Stream } from "effect"
import { RpcClient, RpcClientError, RpcSerialization } from "effect/rpc"
import { ExecFailed, type ExecOutput, InspectFailed, type LocalStatus, LocalRpcs, NoSuchSandbox } from "../../protocol/local/LocalRpcs.ts"
import { NoSuchActor } from "../../protocol/sight/SightRpcs.ts"
import { failed, Failure, notFound } from "../Failure.ts"
import { type Looking, looking, noSuchActor } from "../Looking.ts"
import type { Signal } from "../Shell.ts"

export interface ExecRequest {
  readonly sandbox: string
  readonly command: readonly [string, ...Array<string>]
  readonly env: Readonly<Record<string, string>>
  readonly stdin: boolean
}

export interface Client extends Looking {
  readonly status: Effect.Effect<LocalStatus, Failure>
  /** OpenMetrics text. */
  readonly metrics: Effect.Effect<string, Failure>
  /** A URL with the token that opens it. */
  readonly inspect: (forMs: number) => Effect.Effect<{ readonly url: string; readonly token: string; readonly expiresAt: number }, Failure>
  readonly exec: (request: ExecRequest) => Stream.Stream<ExecOutput, Failure>
  readonly input: (execId: string, bytes: Uint8Array | null) => Effect.Effect<void, Failure>
  readonly signal: (execId: string, signal: Signal) => Effect.Effect<void, Failure>
  readonly logs: (sandbox: string, follow: boolean) => Stream.Stream<string, Failure>
}

type Refusal = NoSuchSandbox | ExecFailed | NoSuchActor | InspectFailed

const callMs = 5_000

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "the socket is not there", ECONNREFUSED: "nobody listens", EACCES: "permission denied: it belongs to another user"
}

export const why = (error: RpcClientError.RpcClientError): string => {
  const cause = (error.reason as { readonly cause?: unknown }).cause as NodeJS.ErrnoException | undefined
  return reasons[cause?.code ?? ""] ?? (cause === undefined ? "the connection ended" : cause.message)
}

export const connect = (socket: string): Effect.Effect<Client, Failure, Scope.Scope> =>
  Effect.gen(function*() {
    const away = (reason: string) =>
      failed("agent-away", "The agent does not answer", `the agent at ${socket} does not answer: ${reason}`, "check that it runs: gstacks agent list, and on its host: systemctl status gstacks-agent")
    const explain = (error: RpcClientError.RpcClientError | Refusal): Failure => {
      if (error instanceof NoSuchActor) return noSuchActor(error)
      if (error instanceof InspectFailed) return failed("inspect-failed", "The inspector cannot be opened", error.message, error.hint)
      if (error instanceof NoSuchSandbox) return notFound("sandbox-not-found", error.message, error.hint)
      if (error instanceof ExecFailed) return failed("exec-failed", "The program could not be run", error.message, error.hint)
      return away(why(error))
    }
    const context = yield* Layer.build(
      RpcClient.layerProtocolSocket().pipe(Layer.provide([RpcSerialization.layerNdjson, NodeSocket.layerNet({ path: socket })]))
    ).pipe(Effect.mapError((error) => away(error.message)))
    const rpc = yield* Effect.provideContext(RpcClient.make(LocalRpcs), context)
    const bounded = <A, E extends RpcClientError.RpcClientError | Refusal>(call: Effect.Effect<A, E>, withinMs = callMs) =>
      call.pipe(
        Effect.mapError(explain),
        Effect.catchDefect(() => Effect.fail(away("it does not know this question; is it of another version?"))),
        Effect.timeoutOrElse({ duration: withinMs, orElse: () => Effect.fail(away(`no answer within ${withinMs / 1000} s`)) })
      )
    return {
      ...looking(rpc, bounded, callMs),
      status: bounded(rpc.Status()),
      metrics: bounded(rpc.Metrics()),
      inspect: (forMs) => bounded(rpc.Inspect({ forMs })),
      exec: (request) => rpc.Exec(request).pipe(Stream.mapError(explain)),
      /** The program may be slow to read: no limit. */
      input: (execId, bytes) => rpc.ExecInput({ execId, bytes }).pipe(Effect.mapError(explain)),
      signal: (execId, signal) => bounded(rpc.ExecSignal({ execId, signal })),
      logs: (sandbox, follow) => rpc.Logs({ sandbox, follow }).pipe(Stream.mapError(explain))
    }
  })
