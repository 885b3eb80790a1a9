/** The part of Headscale's HTTP API that the control plane uses. 64-bit numbers are strings there; so are they here. */
import { Effect, Redacted, Schema } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest, HttpClientResponse } from "effect/http"
import { MeshUnavailable } from "../../domain/Problems.ts"

const PreAuthKey = Schema.Struct({ id: Schema.String, key: Schema.String, expiration: Schema.String })
export const Node = Schema.Struct({
  id: Schema.String, givenName: Schema.String, name: Schema.String, ipAddresses: Schema.Array(Schema.String),
  preAuthKey: Schema.NullOr(Schema.Struct({ id: Schema.String })), tags: Schema.Array(Schema.String)
})
export type Node = typeof Node.Type

export interface HeadscaleApi {
  /** Fails soon when it does not: unlike the others it is asked while somebody waits. */
  readonly answers: Effect.Effect<void, MeshUnavailable>
  /** Single use. */
  readonly createPreAuthKey: (tag: string, expiresAt: Date, user: string | undefined) => Effect.Effect<typeof PreAuthKey.Type, MeshUnavailable>
  readonly nodes: Effect.Effect<ReadonlyArray<Node>, MeshUnavailable>
  readonly deleteNode: (id: string) => Effect.Effect<void, MeshUnavailable>
  readonly setPolicy: (policy: string) => Effect.Effect<void, MeshUnavailable>
}

/** Measured: writes take up to half a second, because each request checks a bcrypt hash. */
const requestTimeout = "10 seconds"
const answersWithin = "2 seconds"

export const makeApi = (url: string, token: Redacted.Redacted): Effect.Effect<HeadscaleApi> => Effect.gen(function*(): Effect.fn.Return<HeadscaleApi, never, HttpClient.HttpClient> {
  const client = (yield* HttpClient.HttpClient).pipe(
    HttpClient.mapRequest((request) => request.pipe(HttpClientRequest.prependUrl(`${url}/api/v1`), HttpClientRequest.bearerToken(Redacted.value(token)), HttpClientRequest.acceptJson)),
    HttpClient.filterStatusOk
  )
  const call = <S extends Schema.Codec<unknown, unknown>>(what: string, answer: S, request: HttpClientRequest.HttpClientRequest): Effect.Effect<S["Type"], MeshUnavailable> =>
    client.execute(request).pipe(
      Effect.flatMap(HttpClientResponse.schemaBodyJson(answer)),
      Effect.timeout(requestTimeout),
      Effect.catch((error) => Effect.andThen(Effect.logWarning(`Headscale did not ${what}.`, error), new MeshUnavailable({
        detail: `The mesh coordinator did not ${what}: ${String(error.message ?? error._tag)}.`,
        hint: "Try again; an operator finds the cause in the control plane's log."
      })))
    )
  const json = (request: HttpClientRequest.HttpClientRequest, body: Schema.Json) => HttpClientRequest.bodyJsonUnsafe(request, body)

  const http = yield* HttpClient.HttpClient
  return {
    answers: HttpClient.filterStatusOk(http).get(`${url}/health`).pipe(
      Effect.timeout(answersWithin), Effect.asVoid,
      Effect.mapError((error) => new MeshUnavailable({ detail: `${url}: ${String(error.message ?? error._tag)}`, hint: "See its log." }))
    ),
    createPreAuthKey: (tag, expiresAt, user) => Effect.map(
      call("make a key", Schema.Struct({ preAuthKey: PreAuthKey }), json(HttpClientRequest.post("/preauthkey"), {
        reusable: false, ephemeral: false, aclTags: [tag], expiration: expiresAt.toISOString(), ...(user === undefined ? {} : { user })
      })), (answer) => answer.preAuthKey),
    nodes: Effect.map(call("list its nodes", Schema.Struct({ nodes: Schema.Array(Node) }), HttpClientRequest.get("/node")), (answer) => answer.nodes),
    deleteNode: (id) => Effect.asVoid(call("delete a node", Schema.Unknown, HttpClientRequest.delete(`/node/${id}`))),
    setPolicy: (policy) => Effect.asVoid(call("take the policy", Schema.Unknown, json(HttpClientRequest.put("/policy"), { policy })))
  }
}).pipe(Effect.provide(FetchHttpClient.layer))
