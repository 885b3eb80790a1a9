/** What the inspector's listener serves: the page, and the `debug` group of the HTTP API for this agent alone. */
import { Effect, Layer, Redacted } from "effect"
import { HttpApi, HttpApiBuilder, HttpApiMiddleware } from "effect/http-api"
import { createHash, timingSafeEqual } from "node:crypto"
import { Sight } from "../../actors/sight/Sight.ts"
import { ActorNotFound, AgentNotFound, Unauthorized } from "../../domain/Problems.ts"
import { Authorization, Principal } from "../../protocol/http/Authorization.ts"
import { DebugGroup } from "../../protocol/http/DebugApi.ts"
import * as InspectorPage from "../../protocol/http/InspectorPage.ts"
import { requestProblems, unknownRoute } from "../../protocol/http/problems.ts"

class InspectorApi extends HttpApi.make("gstacks-agent").add(DebugGroup).middleware(HttpApiMiddleware.ProblemDetails) {}

export interface Options {
  readonly token: string
  /** Of the page's files. */
  readonly folder: string
  readonly agent: string
}

const debug = (name: string) => HttpApiBuilder.group(InspectorApi, "debug", Effect.fnUntraced(function*(handlers) {
  const sight = yield* Sight
  const here = (agent: string | undefined) => agent === undefined || agent === name ? Effect.void
    : new AgentNotFound({ detail: `This is agent "${name}"; it knows nothing of "${agent}".`, hint: `Ask the control plane: gstacks debug actors --agent ${agent}` })
  return handlers.handleAll({
    actors: ({ query }) => Effect.andThen(here(query.agent), Effect.map(sight.actors, (actors) => [{ agent: name, problem: null, actors }])),
    actor: ({ query }) => Effect.andThen(here(query.agent), Effect.catchTag(sight.actor(query.address), "NoSuchActor", ({ message, hint }) => new ActorNotFound({ detail: message, hint }))),
    charts: ({ query }) => Effect.andThen(here(query.agent), sight.charts),
    journal: ({ query: { agent, ...request } }) => Effect.andThen(here(agent), sight.journal(request))
  })
}))

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

/** Compared as digests: they are of one length, and the time tells nothing. */
const authorization = (token: string) => {
  const expected = digest(token)
  return Layer.succeed(Authorization, Authorization.of({
    bearer: (app, { credential }) => timingSafeEqual(digest(Redacted.value(credential)), expected)
      ? Effect.provideService(app, Principal, { name: "inspector" })
      : new Unauthorized({ detail: "The token does not open this inspector.", hint: "Open a new one: gstacks debug inspect" })
  }))
}

export const layer = ({ token, folder, agent }: Options) => Layer.mergeAll(
  HttpApiBuilder.layer(InspectorApi, { openapiPath: "/openapi.json" }).pipe(
    Layer.provide(debug(agent)), Layer.provide(authorization(token)), Layer.provide(requestProblems)),
  InspectorPage.layer(folder), unknownRoute)
