/**
 * The agents that are connected to this process, and the typed calls to them. A call is bounded in time; an agent that is away,
 * does not answer or loses its connection meanwhile is `AgentUnavailable`. The newest session of an agent wins.
 */
import { Context, Deferred, type Duration, Effect, Layer, Option } from "effect"
import type { RpcClient } from "effect/rpc"
import type { RpcClientError } from "effect/rpc/RpcClientError"
import type { AgentName } from "../domain/DnsLabel.ts"
import type { AgentId, NetworkId } from "../domain/Ids.ts"
import { AgentUnavailable } from "../domain/Problems.ts"
import type { AgentRpcs } from "../protocol/agent/AgentRpcs.ts"

export type AgentClient = RpcClient.FromGroup<typeof AgentRpcs, RpcClientError>

export interface Session {
  readonly agentId: AgentId
  readonly agent: AgentName
  /** The number of the connection that it lives on. */
  readonly connection: number
  readonly client: AgentClient
  /** Why the last push of a network did not succeed, by network. */
  readonly troubles: Map<NetworkId, string>
  /** Completed when the connection is gone; whoever waits for an answer then stops waiting. */
  readonly ended: Deferred.Deferred<void>
  /** Looks for news of a network that the agent takes part in, or has to leave. */
  readonly kick: (network: NetworkId) => Effect.Effect<void>
  /** Ends the connection; the agent may dial again. */
  readonly close: Effect.Effect<void>
}

export class Sessions extends Context.Service<Sessions, {
  readonly isOnline: (agent: AgentId) => boolean
  readonly online: Effect.Effect<ReadonlyArray<Session>>
  readonly get: (agent: AgentId) => Option.Option<Session>
  readonly trouble: (agent: AgentId, network: NetworkId) => string | undefined
  /** Makes `session` the agent's; the one that it replaces is answered. */
  readonly open: (session: Session) => Effect.Effect<Option.Option<Session>>
  /** Forgets `session`, unless a newer one has taken its place (then `false`). */
  readonly forget: (session: Session) => Effect.Effect<boolean>
  readonly close: (agent: AgentId) => Effect.Effect<void>
  readonly kick: (agent: AgentId, network: NetworkId) => Effect.Effect<void>
  readonly call: <A, E>(
    agent: { readonly id: AgentId; readonly name: string }, within: Duration.Input, request: (client: AgentClient) => Effect.Effect<A, E | RpcClientError>
  ) => Effect.Effect<A, Exclude<E, RpcClientError> | AgentUnavailable>
}>()("gstacks/control/Sessions") {
  static readonly layer = Layer.sync(Sessions, () => {
    const sessions = new Map<AgentId, Session>()
    return Sessions.of({
      isOnline: (agent) => sessions.has(agent),
      online: Effect.sync(() => [...sessions.values()]),
      get: (agent) => Option.fromUndefinedOr(sessions.get(agent)),
      trouble: (agent, network) => sessions.get(agent)?.troubles.get(network),
      open: (session) => Effect.sync(() => {
        const before = sessions.get(session.agentId)
        sessions.set(session.agentId, session)
        return Option.fromUndefinedOr(before)
      }),
      forget: (session) => Effect.sync(() => sessions.get(session.agentId) === session && sessions.delete(session.agentId)),
      close: (agent) => Effect.suspend(() => sessions.get(agent)?.close ?? Effect.void),
      kick: (agent, network) => Effect.suspend(() => sessions.get(agent)?.kick(network) ?? Effect.void),
      call: (agent, within, request) => Effect.suspend(() => {
        const session = sessions.get(agent.id)
        return session === undefined ? unavailable(agent.name, "is not connected") : callOn(session, within, request)
      })
    })
  })
}

const unavailable = (name: string, why: string) =>
  new AgentUnavailable({ detail: `Agent "${name}" ${why}.`, hint: `See its state: gstacks agent show ${name}` })

/** A call on exactly this session. */
export const callOn = <A, E>(
  session: Session, within: Duration.Input, request: (client: AgentClient) => Effect.Effect<A, E | RpcClientError>
): Effect.Effect<A, Exclude<E, RpcClientError> | AgentUnavailable> =>
  Effect.raceFirst(request(session.client), Effect.andThen(Deferred.await(session.ended), unavailable(session.agent, "lost its connection"))).pipe(
    Effect.timeoutOrElse({ duration: within, orElse: () => unavailable(session.agent, "did not answer in time") }),
    Effect.catchDefect((defect) => Effect.andThen(
      Effect.logWarning(`Agent "${session.agent}" failed on a call, or answered what is not understood.`, defect),
      unavailable(session.agent, "failed on it; its log says why")
    )),
    Effect.catch((error) => Effect.fail(isRpcClientError(error) ? unavailable(session.agent, "lost its connection") : error as Exclude<E, RpcClientError> | AgentUnavailable))
  )

const isRpcClientError = (error: unknown): error is RpcClientError =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "RpcClientError"
