/** The API over real HTTP: who gets in, what bad requests get, and that both listeners serve it. */
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { request } from "node:http"
import { join } from "node:path"
import { mkdirSync, statSync, writeFileSync } from "node:fs"
import { NetworkName } from "../../src/domain/DnsLabel.ts"
import { clientOf, controlPlane, serve, temporaryFolder } from "./server.ts"

class Server extends Context.Service<Server, Effect.Success<ReturnType<typeof serve>>>()("test/HttpServer") {}
const server = Layer.unwrap(Effect.gen(function*() {
  const folder = yield* temporaryFolder
  return Layer.provideMerge(Layer.effect(Server, serve(folder)), controlPlane(folder))
}))

const call = Effect.fnUntraced(function*(path: string, options: RequestInit & { readonly token?: string } = {}) {
  const { url, token } = yield* Server
  const headers = { authorization: `Bearer ${options.token ?? token}`, "content-type": "application/json" }
  const answer = yield* Effect.promise(() => fetch(`${url}${path}`, { headers, ...options }))
  const text = yield* Effect.promise(() => answer.text())
  const type = answer.headers.get("content-type") ?? ""
  return { status: answer.status, type, body: type.includes("json") ? JSON.parse(text) : text }
})
const post = (path: string, body: unknown) => call(path, { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) })

layer(server, { timeout: "2 minutes", excludeTestServices: true })("HTTP API", (it) => {
  it.effect("answers only to those who have a token", () => Effect.gen(function*() {
    const { url } = yield* Server
    const problem = yield* (yield* clientOf(url, "gsu_wrong")).networks.list().pipe(Effect.flip)
    assert.strictEqual(problem._tag, "Unauthorized")
    const none = yield* call("/api/v1/networks", { headers: {} })
    assert.deepStrictEqual([none.status, none.type], [401, "application/problem+json"])
    assert.deepStrictEqual((yield* call("/api/v1/tokens/self")).body, { name: "admin" })
    assert.strictEqual((yield* call("/healthz", { headers: {} })).status, 200)
  }))

  it.effect("an inspector's token looks at actors, and does nothing else", () => Effect.gen(function*() {
    const { api } = yield* Server
    const { secret, token } = yield* api.tokens.create({ payload: { kind: "inspector", name: "inspector", ttlSeconds: 60 } })
    assert.match(secret, /^gsi_/)
    const looking = yield* call("/api/v1/debug/actors?scope=cluster", { headers: { authorization: `Bearer ${secret}` } })
    assert.deepStrictEqual([looking.status, looking.body[0].agent, looking.body[0].actors[0].address], [200, null, "control"])
    for (const path of ["/api/v1/networks", "/api/v1/tokens", "/api/v1/tokens/self", "/api/v1/sandboxes"]) {
      assert.deepInclude((yield* call(path, { headers: { authorization: `Bearer ${secret}` } })).body, { status: 401, detail: "This token opens the inspector, and nothing else." })
    }
    yield* api.tokens.create({ payload: { kind: "inspector", name: "inspector", ttlSeconds: 0 } })
    yield* api.tokens.create({ payload: { kind: "inspector", name: "inspector", ttlSeconds: 60 } })
    assert.deepStrictEqual((yield* api.tokens.list()).filter(({ kind }) => kind === "inspector").map(({ id }) => id === token.id), [true, false], "one that has expired is not kept")
    assert.strictEqual((yield* call("/api/v1/debug/actors", { headers: {} })).status, 401)
  }))

  it.effect("serves the inspector page without a token, once it is built", () => Effect.gen(function*() {
    const { stateDir } = yield* Server
    assert.deepInclude((yield* call("/inspector/inspector.js", { headers: {} })).body, { status: 404, hint: "Build it: scripts/setup" })
    mkdirSync(join(stateDir, "inspector"))
    writeFileSync(join(stateDir, "inspector/index.html"), "<!doctype html>")
    const page = yield* call("/inspector/", { headers: {} })
    assert.deepStrictEqual([page.status, page.type, page.body], [200, "text/html; charset=utf-8", "<!doctype html>"])
    assert.strictEqual((yield* call("/inspector/../admin.token", { headers: {} })).status, 404)
  }))

  it.effect("describes itself", () => Effect.gen(function*() {
    const { body } = yield* call("/openapi.json", { headers: {} })
    assert.strictEqual(body.openapi, "3.1.0")
    assert.includeMembers(Object.keys(body.paths), ["/api/v1/networks", "/api/v1/networks/{network}/rules", "/api/v1/enrolments"])
  }))

  it.effect("a policy document is read strictly, and applied only to the version that was looked at", () => Effect.gen(function*() {
    const { url, token } = yield* Server
    yield* post("/api/v1/networks", { name: "documents" })
    const path = "/api/v1/networks/documents/policy"
    const etag = (yield* Effect.promise(() => fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } }))).headers.get("etag")!
    assert.strictEqual(etag, "\"1\"")
    const put = (body: unknown, ifMatch: string) => call(path, { method: "PUT", body: JSON.stringify(body), headers: { authorization: `Bearer ${token}`, "content-type": "application/json", "if-match": ifMatch } })
    const misspelt = yield* put({ rules: [{ from: "any", to: "api", ports: "80", expires: "2030-01-01T00:00:00Z" }] }, etag)
    assert.deepStrictEqual([misspelt.status, misspelt.body.errors[0].path], [400, ["payload", "rules", 0, "expires"]])
    const unknown = yield* put({ rules: [{ from: "any", to: "api", ports: "80" }] }, etag)
    assert.deepStrictEqual([unknown.status, unknown.body.type, unknown.body.errors[0].path], [400, "urn:gstacks:problem:invalid-policy", ["rules", 0, "to"]])
    assert.strictEqual((yield* put({ rules: [] }, "\"7\"")).status, 412)
    assert.deepInclude((yield* put({ rules: [] }, etag)).body.change, { network: "documents", version: 1 })
    const diff = yield* post(`${path}/diff`, { _tag: "Revoke", rule: "rul_none" })
    assert.strictEqual(diff.status, 404)
  }))

  it.effect("bad requests say what is wrong, and where", () => Effect.gen(function*() {
    const label = yield* post("/api/v1/networks", { name: "Not_A_Label" })
    assert.deepStrictEqual([label.status, label.type], [400, "application/problem+json"])
    assert.match(label.body.detail, /^name: a DNS label/)
    assert.deepStrictEqual(label.body.errors[0].path, ["payload", "name"])
    const syntax = yield* post("/api/v1/networks", "{\"name\":")
    assert.deepStrictEqual([syntax.status, syntax.type], [400, "application/problem+json"])
    yield* post("/api/v1/networks", { name: "bad-input" })
    const port = yield* post("/api/v1/networks/bad-input/rules", { from: "any", to: "api", port: 70_000 })
    assert.match(port.body.detail, /^port: a port from 1 to 65535/)
    const query = yield* call("/api/v1/networks/bad-input/aliases/api?port=x", { method: "DELETE" })
    assert.strictEqual(query.status, 400)
    const term = yield* post("/api/v1/networks/bad-input/rules", { from: "any", to: "api", port: 80, expiresAt: "2030-01-01T00:00:00Z" })
    assert.deepStrictEqual([term.status, term.body.errors[0].path], [400, ["payload", "expiresAt"]])
    const misspelt = yield* call("/api/v1/networks/bad-input/aliases/api?prot=80", { method: "DELETE" })
    assert.deepStrictEqual([misspelt.status, misspelt.body.errors[0].path], [400, ["query", "prot"]])
    const mode = yield* post("/api/v1/networks", { name: "routed", mode: "routed_mesh" })
    assert.deepStrictEqual([mode.status, mode.body.type], [400, "urn:gstacks:problem:mode-not-supported"])
  }))

  it.effect("problems carry a hint, and paths that do not exist are problems too", () => Effect.gen(function*() {
    yield* post("/api/v1/networks", { name: "staging" })
    const missing = yield* call("/api/v1/networks/stagin")
    assert.strictEqual(missing.status, 404)
    assert.include(missing.body.hint, "Did you mean \"staging\"?")
    for (const path of ["/nope", "/api/v1/nope", "/api/v2/networks"]) {
      const answer = yield* call(path)
      assert.deepStrictEqual([answer.status, answer.type, answer.body.status], [404, "application/problem+json", 404])
    }
  }))

  it.effect("the typed client sees typed problems", () => Effect.gen(function*() {
    const { api } = yield* Server
    const name = NetworkName.make("twice")
    yield* api.networks.create({ payload: { name } })
    assert.strictEqual((yield* api.networks.create({ payload: { name } }).pipe(Effect.flip))._tag, "NetworkExists")
    const detail = yield* api.networks.show({ params: { network: name } })
    assert.deepStrictEqual([detail.network.suffix, detail.attachments, detail.agents], ["twice.gstacks", [], []])
    const receipt = yield* api.networks.receipt({ params: { network: name, version: 1 }, query: {} })
    assert.deepStrictEqual([receipt.applied, receipt.participants, receipt.pending], [0, 0, []])
  }))

  it.effect("the Unix socket serves the same, to its owner only", () => Effect.gen(function*() {
    const { stateDir, token } = yield* Server
    const socketPath = join(stateDir, "api.sock")
    assert.strictEqual(statSync(socketPath).mode & 0o777, 0o600)
    const status = yield* Effect.callback<number>((resume) => {
      request({ socketPath, path: "/api/v1/networks", headers: { authorization: `Bearer ${token}` } }, (answer) => {
        answer.resume()
        resume(Effect.succeed(answer.statusCode!))
      }).end()
    })
    assert.strictEqual(status, 200)
  }))
})
