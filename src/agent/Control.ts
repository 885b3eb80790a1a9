/** The control plane, as far as it can be reached now: a typed client while the link is up, `Offline` otherwise. */
import { Context, Duration, Effect, Layer, Predicate, Schedule, Schema } from "effect"
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

/** How long an answer is waited for that has to come at once. */
export const AnswerWithin = Context.Reference<Duration.Input>("gstacks/agent/AnswerWithin", { defaultValue: () => "30 seconds" })

export class Unanswered extends Schema.TaggedError<Unanswered>()("Unanswered", { message: Schema.String }) {}

/** For what must be said once: while the control plane's database is away it is said again each second, until the connection ends. */
export const untilStored = <A, E, R>(call: Effect.Effect<A, E, R>): Effect.Effect<A, E | Unanswered, R> => Effect.gen(function*() {
  const duration = yield* AnswerWithin
  const unanswered = new Unanswered({ message: `no answer came within ${Duration.toSeconds(duration)} s` })
  return yield* Effect.timeoutOrElse(call, { duration, orElse: () => Effect.fail(unanswered) })
}).pipe(Effect.retry({ schedule: Schedule.spaced("1 second"), while: (error) => Predicate.isTagged(error, "StoreUnavailable") }))
