/** The `limits` group of the HTTP API. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../protocol/http/Api.ts"
import { Limits } from "../Limits.ts"

export const layer = HttpApiBuilder.group(Api, "limits", Effect.fnUntraced(function*(handlers) {
  const limits = yield* Limits
  return handlers.handleAll({
    list: ({ params }) => limits.list(params.network),
    set: ({ params, payload: { alias, sandbox, ...terms } }) => limits.set(params.network, { ...(alias && { alias }), ...(sandbox && { sandbox }) }, terms),
    clear: ({ params, query }) => limits.clear(params.network, query)
  })
}))
