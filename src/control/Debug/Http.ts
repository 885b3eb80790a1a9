/** The `debug` group of the HTTP API. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../protocol/http/Api.ts"
import { Debug } from "../Debug.ts"

export const layer = HttpApiBuilder.group(Api, "debug", Effect.fnUntraced(function*(handlers) {
  const debug = yield* Debug
  return handlers.handleAll({
    actors: ({ query: { agent, scope } }) => agent !== undefined ? debug.agent(agent) : scope === "cluster" ? debug.cluster : debug.own,
    actor: ({ query }) => debug.actor(query.agent, query.address),
    charts: ({ query }) => debug.charts(query.agent),
    journal: ({ query: { agent, ...request } }) => debug.journal(agent, request)
  })
}))
