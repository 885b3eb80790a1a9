/** The `publishers` group of the HTTP API. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../protocol/http/Api.ts"
import { Publishers } from "../Publishers.ts"

export const layer = HttpApiBuilder.group(Api, "publishers", Effect.fnUntraced(function*(handlers) {
  const publishers = yield* Publishers
  return handlers.handleAll({
    list: ({ params }) => publishers.list(params.network),
    allow: ({ params }) => publishers.allow(params.network, params.user),
    revoke: ({ params }) => publishers.revoke(params.network, params.user)
  })
}))
