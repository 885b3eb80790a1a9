/** A control plane in process, on a free port of the loopback, with a typed client that is logged in. */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, flow, Layer, type LogLevel, References } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest, HttpRouter } from "effect/http"
import { HttpApiClient, HttpApiMiddleware } from "effect/http-api"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ensureAdminToken } from "../../src/control/adminToken.ts"
import type { MeshConfig } from "../../src/control/Config.ts"
import * as ControlPlane from "../../src/control/ControlPlane.ts"
import * as Listeners from "../../src/control/http/Listeners.ts"
import * as Routes from "../../src/control/http/Routes.ts"
import type { DatabaseSource } from "../../src/control/sql/Database.ts"
import { AgentName } from "../../src/domain/DnsLabel.ts"
import { Api } from "../../src/protocol/http/Api.ts"
import { Authorization } from "../../src/protocol/http/Authorization.ts"
import { pgliteTemplate } from "../harness/pgliteTemplate.ts"
import { fakeAgent, type FakeAgentOptions } from "../harness/fakeAgent.ts"

export const temporaryFolder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "gs-control-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
)

export const clientOf = (url: string, token: string) => HttpApiClient.make(Api, {
  transformClient: (client) => client.pipe(HttpClient.mapRequest(flow(HttpClientRequest.prependUrl(url))))
}).pipe(Effect.provide(Layer.merge(
  HttpApiMiddleware.layerClient(Authorization, ({ next, request }) => next(HttpClientRequest.bearerToken(request, token))),
  FetchHttpClient.layer
)))

/** Serves while the scope is open; needs the services of `ControlPlane.layer`. */
export const serve = Effect.fn("serve")(function*(stateDir: string, port = 0) {
  yield* ensureAdminToken(stateDir)
  const app = yield* HttpRouter.toHttpEffect(Routes.layer(join(stateDir, "inspector")))
  const address = yield* Listeners.serve(app, { tcp: { host: "127.0.0.1", port }, socket: join(stateDir, "api.sock") })
  const url = `http://127.0.0.1:${"port" in address ? address.port : 0}`
  const token = (yield* Effect.promise(() => readFile(join(stateDir, "admin.token"), "utf8"))).trim()
  const api = yield* clientOf(url, token)
  const enrol = Effect.fnUntraced(function*(name: string) {
    const { secret } = yield* api.tokens.create({ payload: { kind: "enrolment", name } })
    return yield* api.enrolment.enrol({ payload: { token: secret, name: AgentName.make(name) } })
  })
  return {
    url, token, api, enrol, stateDir,
    agent: Effect.fnUntraced(function*(name: string, options: Omit<FakeAgentOptions, "url" | "credential"> = {}) {
      const identity = yield* enrol(name)
      return { ...identity, ...(yield* fakeAgent({ url, credential: identity.credential, ...options })) }
    })
  }
})

export const controlPlane = (stateDir: string, database: DatabaseSource = { _tag: "Memory" }, mesh: MeshConfig = { _tag: "None" }, logLevel: LogLevel.LogLevel = "Error") => Layer.unwrap(Effect.gen(function*() {
  const source = database._tag === "Memory" ? { ...database, template: yield* Effect.promise(pgliteTemplate) } : database
  return Layer.merge(ControlPlane.layer({ database: source, mesh, stateDir }), NodeHttpServer.layerHttpServices).pipe(
    Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, logLevel))
  )
}))
