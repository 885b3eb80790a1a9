/**
 * Refuses requests that were meant for another host. A page elsewhere can make its own name resolve to 127.0.0.1 and then counts as
 * the same origin with what listens here; its requests still carry its name.
 */
import { Effect } from "effect"
import { HttpServerRequest, type HttpServerResponse } from "effect/http"
import { problem } from "../../protocol/http/problems.ts"

export const onlyOwnHost = <E, R>(port: number, app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) => Effect.gen(function*() {
  const { headers } = yield* HttpServerRequest.HttpServerRequest
  const own = headers["host"] === `127.0.0.1:${port}` || headers["host"] === `localhost:${port}`
  return own ? yield* app : problem(403, "Forbidden", "The request names another host.", `Open http://127.0.0.1:${port}/inspector/ itself.`)
})
