/** The `debug` group of the fake control plane: what the tests set in its `FakeSight`s. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import * as Problem from "../../src/domain/Problems.ts"
import type { ProcessActors } from "../../src/domain/Sight.ts"
import { Api } from "../../src/protocol/http/Api.ts"
import type { FakeControl } from "./fakeControl.ts"

export const debug = (fake: FakeControl) => {
  const row = (agent: string): Effect.Effect<ProcessActors> => Effect.match(fake.sightOf(agent), {
    onSuccess: ({ actors }) => ({ agent, problem: null, actors }),
    onFailure: ({ detail }) => ({ agent, problem: detail, actors: [] })
  })
  return HttpApiBuilder.group(Api, "debug", (handlers) =>
    Effect.succeed(handlers.handleAll({
      actors: ({ query: { agent, scope } }) => {
        const own = { agent: null, problem: null, actors: fake.sight.actors }
        if (agent !== undefined) return Effect.map(fake.sightOf(agent), ({ actors }) => [{ agent, problem: null, actors }])
        return scope === "cluster" ? Effect.map(Effect.forEach(fake.agents, ({ name }) => row(name)), (rows) => [own, ...rows]) : Effect.succeed([own])
      },
      actor: ({ query }) => Effect.flatMap(fake.sightOf(query.agent), (sight) => Effect.mapError(sight.actor(query.address), ({ message, hint }) => new Problem.ActorNotFound({ detail: message, hint }))),
      charts: ({ query }) => Effect.map(fake.sightOf(query.agent), ({ charts }) => charts),
      journal: ({ query: { agent, ...request } }) => Effect.flatMap(fake.sightOf(agent), (sight) => sight.journal(request))
    })))
}
