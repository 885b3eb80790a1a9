/** The `localNodes` group of the HTTP API. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../protocol/http/Api.ts"
import { LocalNodes } from "../LocalNodes.ts"
import { Publications } from "../Publications.ts"

export const layer = HttpApiBuilder.group(Api, "localNodes", Effect.fnUntraced(function*(handlers) {
  const localNodes = yield* LocalNodes
  const publications = yield* Publications
  return handlers.handleAll({
    list: ({ params }) => localNodes.list(params.network),
    join: ({ params, payload }) => localNodes.join(params.network, payload.machine, payload.name),
    joined: ({ params, payload }) => localNodes.joined(params.network, params.localNode, payload.machine),
    renew: ({ params, payload }) => localNodes.renew(params.network, params.localNode, payload.machine, payload.after, payload.waitMs),
    publish: ({ params, payload: { machine, ...wish } }) => publications.publish(params.network, { id: params.localNode, machine }, wish),
    unpublish: ({ params, query }) => publications.unpublish(params.network, { id: params.localNode, machine: query.machine }, params.alias),
    answer: ({ params, payload }) => localNodes.answer(params.network, params.localNode, payload.machine, payload.question, payload.answer),
    end: ({ params, query }) => localNodes.end(params.network, params.localNode, query.machine)
  })
}))
