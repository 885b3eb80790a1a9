/** The control plane, as far as it can be reached now: a typed client while the link is up, `Offline` otherwise. */
import { Context, Effect, Layer, Schema } from "effect"
import type { RpcClient, RpcClientError, RpcGroup } from "effect/rpc"
import type { ControlRpcs } from "../protocol/agent/ControlRpcs.ts"

export class Offline extends Schema.TaggedError<Offline>()("Offline", { message: Schema.String }) {}

export type ControlClient = RpcClient.RpcClient<RpcGroup.Rpcs<typeof ControlRpcs>, RpcClientError.RpcClientError>

export class Control extends Context.Service<Control, {
  /** Failures of the connection become `Offline`, those of the call stay as they are. */
  readonly call: <A, E, R>(use: (client: ControlClient) => Effect.Effect<A, E, R>) => Effect.Effect<A, Exclude<E, RpcClientError.RpcClientError> | Offline, R>
  /** For the link: undefined when it is down. */
  client: ControlClient | undefined
}>()("gstacks/agent/Control") {
  static readonly layer = Layer.effect(Control, Effect.sync(() => {
    const self: Control["Service"] = {
      client: undefined,
      call: <A, E, R>(use: (client: ControlClient) => Effect.Effect<A, E, R>) => {
        const attempt = Effect.suspend((): Effect.Effect<A, E | Offline, R> =>
          self.client === undefined ? Effect.fail(new Offline({ message: "the control plane is away" })) : use(self.client))
        return Effect.mapError(attempt, (error) => isConnectionError(error)
          ? new Offline({ message: `the control plane is away: ${error.message}` })
          : error as Exclude<E, RpcClientError.RpcClientError> | Offline)
      }
    }
    return self
  }))
}

const isConnectionError = (error: unknown): error is RpcClientError.RpcClientError =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "RpcClientError"
