/**
 * Clients that ask and never read. What one connection can make a server keep is one answer, and not for ever: a request that comes
 * before the answer to the last one is sent (Node would run all that arrive in one piece side by side) is refused, and a connection
 * on which nothing of a waiting answer is taken for a minute is cut. One that waits for its answer is left alone, however long.
 */
import { Effect } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { problem } from "./problems.ts"

/** Of a connection on which nothing moves, in ms. */
const quietMs = 60_000

/** What is needed of Node's `http.Server`. */
interface Server {
  on(event: "request" | "checkContinue", listener: (request: object, response: { readonly socket: object | null }) => void): unknown
  setTimeout(afterMs: number, listener: (connection: { readonly writableLength: number; destroy(): unknown }) => void): unknown
}

const tooEarly = HttpServerResponse.setHeader(
  problem(429, "Too Many Requests", "The request came before the answer to the last one on its connection was sent.", "Wait for the answer, or open another connection."),
  "connection", "close")

/** Call it before anyone else listens to the server; what it answers goes round the app that is served. */
export const boundUnread = (server: Server, afterMs = quietMs) => {
  const early = new WeakSet<object>()
  // Node gives an answer its socket when those before it are sent.
  for (const event of ["request", "checkContinue"] as const) server.on(event, (request, { socket }) => { if (socket === null) early.add(request) })
  server.setTimeout(afterMs, (connection) => { if (connection.writableLength > 0) connection.destroy() })
  return <E, R>(app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) => Effect.gen(function*() {
    const { source } = yield* HttpServerRequest.HttpServerRequest
    return early.has(source) ? tooEarly : yield* app
  })
}
