/** Calls to the control planes whose networks are joined, with the token that the user gave at the join. Tokens are held in memory only. */
import { Context, Effect, Layer } from "effect"
import type { JoinRefusal } from "../actors/machines/localJoin.ts"
import { type Client, connect } from "../cli/ControlApi/client.ts"
import type { Failure } from "../cli/Failure.ts"

export interface Account { readonly url: string; readonly token: string }

export class ControlPlanes extends Context.Service<ControlPlanes, {
  readonly call: <A, E>(account: Account, request: (client: Client) => Effect.Effect<A, E>, timeoutMs?: number) => Effect.Effect<A, Failure>
}>()("gstacks/local/ControlPlanes") {
  static readonly layer = Layer.succeed(ControlPlanes, ControlPlanes.of({
    call: (account, request, timeoutMs = 15_000) =>
      Effect.flatMap(connect({ ...account, context: null, agentSockets: {} }), (connection) => connection.call(request, timeoutMs))
  }))
}

const statusOf = ({ problem }: Failure): number => typeof problem["status"] === "number" ? problem["status"] : 503
export const problemName = ({ problem }: Failure): string => problem.type.replace(/^urn:gstacks:problem:/, "")

/** What the control plane has decided is final; that it cannot be asked, or lacks its mesh for a moment, is not. */
export const refusalOf = (failure: Failure): JoinRefusal => ({
  reason: failure.problem.detail, next: failure.problem.hint, final: failure.exitCode === 4 || (statusOf(failure) >= 400 && statusOf(failure) < 500)
})
