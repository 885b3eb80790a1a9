/**
 * The control plane's HTTP API as commands see it: typed calls that end within a limit and fail only with a `Failure`.
 * The client's code is loaded with the first call, so that help stays quick.
 */
import { Context, Effect, Layer } from "effect"
import type { Client } from "./ControlApi/client.ts"
import { target, type Target } from "./Contexts.ts"
import type { Failure } from "./Failure.ts"

export interface CallOptions {
  /** How long to wait for the answer; 15 s when not given. */
  readonly timeoutMs?: number
}

const usualMs = 15_000

export class ControlApi extends Context.Service<ControlApi, {
  readonly target: Effect.Effect<Target, Failure>
  readonly call: <A, E>(request: (client: Client) => Effect.Effect<A, E>, options?: CallOptions) => Effect.Effect<A, Failure>
  /** The same, at another target: for `login`, whose token is not stored yet. */
  readonly callAt: <A, E>(target: Target, request: (client: Client) => Effect.Effect<A, E>) => Effect.Effect<A, Failure>
}>()("gstacks/cli/ControlApi") {
  static readonly layer = Layer.effect(ControlApi, Effect.gen(function*() {
    const where = yield* Effect.cached(Effect.provideContext(target, yield* Effect.context<Effect.Services<typeof target>>()))
    const connect = (to: Target) => Effect.flatMap(Effect.promise(() => import("./ControlApi/client.ts")), (module) => module.connect(to))
    const connected = yield* Effect.cached(Effect.flatMap(where, connect))
    return {
      target: where,
      call: (request, options) => Effect.flatMap(connected, (connection) => connection.call(request, options?.timeoutMs ?? usualMs)),
      callAt: (to, request) => Effect.flatMap(connect(to), (connection) => connection.call(request, usualMs))
    }
  }))
}
