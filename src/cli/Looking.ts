/** What every connection to a process offers to whoever looks into its actors; the questions of `SightRpcs`. */
import { Effect } from "effect"
import type { RpcClient, RpcClientError, RpcGroup } from "effect/rpc"
import type { ActorDetail, ActorState, Chart, JournalPage } from "../domain/Sight.ts"
import type { JournalRequest, NoSuchActor, SightRpcs } from "../protocol/sight/SightRpcs.ts"
import { type Failure, notFound } from "./Failure.ts"

export interface Looking {
  readonly actors: Effect.Effect<ReadonlyArray<ActorState>, Failure>
  readonly actor: (address: string) => Effect.Effect<ActorDetail, Failure>
  readonly charts: Effect.Effect<ReadonlyArray<Chart>, Failure>
  readonly journal: (request: JournalRequest) => Effect.Effect<JournalPage, Failure>
}

type Sight = RpcClient.RpcClient<RpcGroup.Rpcs<typeof SightRpcs>, RpcClientError.RpcClientError>
type Bounded = <A>(call: Effect.Effect<A, RpcClientError.RpcClientError | NoSuchActor>, withinMs?: number) => Effect.Effect<A, Failure>

export const noSuchActor = ({ hint, message }: NoSuchActor): Failure => notFound("actor-not-found", message, hint)

/** `bounded` ends each call within `callMs` or what it is told, and says in words why there is no answer. */
export const looking = (rpc: Sight, bounded: Bounded, callMs: number): Looking => ({
  actors: bounded(rpc.Actors()),
  actor: (address) => bounded(rpc.Actor({ address })),
  charts: bounded(rpc.Charts()),
  journal: (request) => bounded(rpc.Journal(request), (request.waitMs ?? 0) + callMs)
})
