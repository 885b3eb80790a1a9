/**
 * The actors of the whole cluster, to look at: this control plane's own, and those of every agent that is connected to it. All agents
 * are asked at once, each within its time; one that is away, slow or asked too much says so and holds up nobody.
 */
import { Context, Effect, Layer } from "effect"
import { Sight } from "../actors/sight/Sight.ts"
import { ActorNotFound, AgentUnavailable } from "../domain/Problems.ts"
import type { ProcessActors } from "../domain/Sight.ts"
import type { JournalRequest } from "../protocol/sight/SightRpcs.ts"
import { Agents } from "./Agents.ts"
import { type AgentRow, Lookups } from "./Lookups.ts"
import { type AgentClient, Sessions } from "./Sessions.ts"
import type { DatabaseSource } from "./sql/Database.ts"
import { stored } from "./Store.ts"

const answerWithin = 5_000
const longestWaitMs = 30_000
/** Of one agent at a time: its session must stay free for what it is there for. */
const mostCalls = 64

const make = Effect.fnUntraced(function*(source: DatabaseSource) {
  const sight = yield* Sight
  const agents = yield* Agents
  const lookups = yield* Lookups
  const sessions = yield* Sessions
  const calls = new Map<AgentRow["id"], number>()

  const away = ({ name }: AgentRow) => new AgentUnavailable({
    detail: source._tag === "Url" ? `Agent "${name}" is not connected to this replica of the control plane; it may be to another.` : `Agent "${name}" is not connected.`,
    hint: `See its state (gstacks agent show ${name}), or look at it on its own host: gstacks debug actors`
  })

  const ask = <A, E>(agent: AgentRow, request: (client: AgentClient) => Effect.Effect<A, E>, waitMs = 0) => Effect.suspend(() => {
    if (!sessions.isOnline(agent.id)) return away(agent)
    const running = calls.get(agent.id) ?? 0
    if (running >= mostCalls) return new AgentUnavailable({ detail: `Agent "${agent.name}" is being looked at ${mostCalls} times already.`, hint: "Close an inspector, or try again." })
    calls.set(agent.id, running + 1)
    return Effect.ensuring(sessions.call(agent, answerWithin + waitMs, request), Effect.sync(() => {
      const left = calls.get(agent.id)! - 1
      if (left === 0) calls.delete(agent.id)
      else calls.set(agent.id, left)
    }))
  })
  const find = (ref: string) => stored(lookups.agent(ref))

  const own: Effect.Effect<ProcessActors> = Effect.map(sight.actors, (actors) => ({ agent: null, problem: null, actors }))
  const ofAgent = (agent: AgentRow) => Effect.map(ask(agent, (client) => client.Actors()), (actors): ProcessActors => ({ agent: agent.name, problem: null, actors }))
  const row = (agent: AgentRow): Effect.Effect<ProcessActors> =>
    Effect.catch(ofAgent(agent), ({ detail }) => Effect.succeed({ agent: agent.name, problem: detail, actors: [] }))

  return {
    own: Effect.map(own, (actors) => [actors]),
    agent: (ref: string) => Effect.map(Effect.flatMap(find(ref), ofAgent), (actors) => [actors]),
    cluster: Effect.flatMap(agents.list, (all) => Effect.all([own, ...all.map(row)], { concurrency: "unbounded" })),

    actor: (ref: string | undefined, address: string) => Effect.catchTag(
      ref === undefined ? sight.actor(address) : Effect.flatMap(find(ref), (agent) => ask(agent, (client) => client.Actor({ address }))),
      "NoSuchActor", ({ message, hint }) => new ActorNotFound({ detail: message, hint })),

    charts: (ref: string | undefined) => ref === undefined ? sight.charts : Effect.flatMap(find(ref), (agent) => ask(agent, (client) => client.Charts())),

    journal: (ref: string | undefined, request: JournalRequest) => {
      const waitMs = Math.min(request.waitMs ?? 0, longestWaitMs)
      const query = { ...request, waitMs }
      return ref === undefined ? sight.journal(query) : Effect.flatMap(find(ref), (agent) => ask(agent, (client) => client.Journal(query), waitMs))
    }
  }
})

export class Debug extends Context.Service<Debug, Effect.Success<ReturnType<typeof make>>>()("gstacks/control/Debug") {
  static readonly layer = (source: DatabaseSource) => Layer.effect(Debug, make(source))
}
