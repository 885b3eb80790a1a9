/** The `tokens` group of the HTTP API. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api, Principal } from "../../protocol/http/Api.ts"
import { Tokens } from "../Tokens.ts"

export const layer = HttpApiBuilder.group(Api, "tokens", Effect.fnUntraced(function*(handlers) {
  const tokens = yield* Tokens
  return handlers.handleAll({
    list: () => tokens.list,
    create: ({ payload }) => tokens.create(payload.kind, payload.name, payload.ttlSeconds),
    revoke: ({ params }) => tokens.revoke(params.token),
    whoami: () => Principal
  })
}))
