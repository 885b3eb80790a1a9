/** The typed client, made from the API's contract, for one target: bearer token, time limits, failures in the user's words. */
import { Effect, Layer } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { HttpApiClient, HttpApiMiddleware } from "effect/http-api"
import { Api } from "../../protocol/http/Api.ts"
import { Authorization } from "../../protocol/http/Authorization.ts"
import type { Target } from "../Contexts.ts"
import { failed, type Failure, loginNeeded, usage } from "../Failure.ts"
import { silent, toFailure } from "./failures.ts"
import { nodeHttp } from "./nodeHttp.ts"

export type Client = HttpApiClient.ForApi<typeof Api>

export interface Connection {
  readonly call: <A, E>(request: (client: Client) => Effect.Effect<A, E>, timeoutMs: number) => Effect.Effect<A, Failure>
}

interface Endpoint {
  readonly base: string
  readonly socketPath: string | undefined
}

/** `http(s)://host[:port][/prefix]` or `unix:/path/to/socket`. */
export const parseUrl = (url: string): Endpoint | undefined => {
  if (url.startsWith("unix:/")) return { base: "http://localhost", socketPath: url.slice(5) }
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) return undefined
  return { base: url.replace(/\/+$/, ""), socketPath: undefined }
}

export const connect = (target: Target): Effect.Effect<Connection, Failure> =>
  Effect.gen(function*() {
    const endpoint = parseUrl(target.url)
    if (endpoint === undefined) return yield* usage(`${target.url} is no control plane's address`, "use http://host:port, https://host or unix:/path/to/socket")
    const { token, url } = target
    if (token === undefined) return yield* loginNeeded(`there is no token for ${url}`, `gstacks login${url === target.url ? ` --url ${url}` : ""}`)
    const client = yield* HttpApiClient.make(Api, {
      transformClient: HttpClient.mapRequest(HttpClientRequest.prependUrl(endpoint.base))
    }).pipe(Effect.provide(Layer.mergeAll(
      Layer.succeed(HttpClient.HttpClient, nodeHttp(endpoint.socketPath)),
      HttpApiMiddleware.layerClient(Authorization, ({ next, request }) => next(HttpClientRequest.bearerToken(request, token)))
    )))
    return {
      call: (request, timeoutMs) =>
        request(client).pipe(
          Effect.catch((error) => Effect.flatMap(toFailure(error, url), Effect.fail)),
          Effect.timeoutOrElse({ duration: timeoutMs, orElse: () => Effect.fail(silent(url, timeoutMs)) }),
          Effect.catchDefect((defect) => Effect.fail(failed("client-defect", "The request could not be made", String(defect), "report this with the command you ran")))
        )
    }
  })
