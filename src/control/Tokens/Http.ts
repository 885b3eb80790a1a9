/** The `tokens` group of the HTTP API. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../protocol/http/Api.ts"
import { Principal } from "../../protocol/http/Authorization.ts"
import { LocalNodes } from "../LocalNodes.ts"
import { Tokens } from "../Tokens.ts"

export const layer = HttpApiBuilder.group(Api, "tokens", Effect.fnUntraced(function*(handlers) {
  const tokens = yield* Tokens
  const localNodes = yield* LocalNodes
  return handlers.handleAll({
    list: () => tokens.list,
    create: ({ payload }) => tokens.create(payload.kind, payload.name, payload.ttlSeconds),
    revoke: ({ params }) => localNodes.revokeToken(params.token),
    whoami: () => Effect.map(Principal, ({ name }) => ({ name }))
  })
}))
