/** The inspector that an agent opens on the loopback: who gets in, what it shows, when it closes, and that no client of it harms the agent. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Scope } from "effect"
import { mkdirSync, writeFileSync } from "node:fs"
import { request } from "node:http"
import { connect, type Socket } from "node:net"
import { join } from "node:path"
import * as Agent from "../../src/agent/Agent.ts"
import { Inspector } from "../../src/agent/inspector/Inspector.ts"
import { fakeMeshd } from "../harness/fakeMeshd.ts"
import { FakeHost } from "./fakeDriver.ts"
import { configIn, enrolled, temporaryFolder } from "./settings.ts"

const megabyte = "x".repeat(1024 * 1024)

const world = Effect.gen(function*() {
  const folder = yield* temporaryFolder
  enrolled(folder)
  yield* fakeMeshd(join(folder, "meshd.sock"))
  const scope = yield* Scope.fork(yield* Effect.scope)
  const context = yield* Layer.build(Agent.servicesWith(new FakeHost().driver).pipe(Layer.provideMerge(configIn(folder)))).pipe(Scope.provide(scope))
  yield* Effect.provideContext(Agent.start, context).pipe(Scope.provide(scope))
  const built = join(folder, "inspector")
  mkdirSync(built)
  for (const [file, content] of [["index.html", "<!doctype html>"], ["inspector.js", megabyte], ["inspector.css", "body {}"]] as const) writeFileSync(join(built, file), content)
  return { folder, scope, inspector: Context.get(context, Inspector) }
})

const get = (url: string, headers: Record<string, string> = {}) => Effect.promise(async () => {
  const response = await fetch(url, { headers })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: response.headers.get("content-type")?.includes("json") ? JSON.parse(text) : undefined }
})
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const refused = (url: string) => Effect.promise(() => fetch(url).then(() => false, () => true))

/** A raw connection that sends this and, unless told otherwise, reads nothing. */
const sending = (url: string, bytes: string) => Effect.acquireRelease(
  Effect.callback<Socket>((resume) => {
    const socket = connect(Number(new URL(url).port), "127.0.0.1", () => socket.write(bytes, () => resume(Effect.succeed(socket))))
    socket.on("error", () => undefined).pause()
  }),
  (socket) => Effect.sync(() => socket.destroy())
)
const answerTo = (socket: Socket) => Effect.callback<string>((resume) => {
  let text = ""
  socket.on("data", (chunk) => { text += String(chunk) }).once("close", () => resume(Effect.succeed(text))).resume()
})

describe("the inspector of an agent", () => {
  it.live("serves the page to all, under a policy that lets it reach its own server only, and actors to who has the token", () => Effect.gen(function*() {
    const { inspector } = yield* world
    const { url, token } = yield* inspector.open(60_000)
    const page = yield* get(`${url}/inspector/`)
    assert.deepStrictEqual([page.status, page.text], [200, "<!doctype html>"])
    assert.strictEqual(page.headers.get("content-security-policy"),
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'")
    assert.deepStrictEqual([page.headers.get("x-content-type-options"), page.headers.get("referrer-policy")], ["nosniff", "no-referrer"])
    assert.match((yield* get(`${url}/inspector/inspector.js`)).headers.get("content-type")!, /^text\/javascript/)
    assert.strictEqual((yield* get(`${url}/inspector`)).text, "<!doctype html>")

    const actors = `${url}/api/v1/debug/actors`
    for (const headers of [{}, bearer("wrong"), bearer(`${token}x`)]) assert.deepInclude((yield* get(actors, headers)).json, { status: 401, type: "urn:gstacks:problem:unauthorized" })
    const [own] = (yield* get(`${actors}?scope=cluster`, bearer(token))).json
    assert.deepStrictEqual([own.agent, own.problem, own.actors[0].address], ["host-1", null, "agent"])
    assert.strictEqual((yield* get(`${url}/api/v1/debug/actor?address=agent/link`, bearer(token))).json.chart.machine, "agentLink")
    assert.isAbove((yield* get(`${url}/api/v1/debug/charts?agent=host-1`, bearer(token))).json.length, 0)
    assert.strictEqual((yield* get(`${url}/api/v1/debug/journal?limit=2`, bearer(token))).json.entries.length, 2)
    assert.strictEqual((yield* get(`${actors}?agent=host-2`, bearer(token))).status, 404)
    assert.strictEqual((yield* get(`${url}/api/v1/debug/actor?address=nobody`, bearer(token))).status, 404)
    assert.strictEqual((yield* get(`${url}/api/v1/debug/journal?limit=many`, bearer(token))).status, 400)
    for (const path of ["/", "/inspector/../credential.json", "/inspector/%2e%2e%2fcredential.json", "/api/v1/networks"]) {
      assert.strictEqual((yield* get(`${url}${path}`, bearer(token))).status, 404, path)
    }
  }).pipe(Effect.scoped))

  it.live("answers no request that names another host, as of a page whose name was made to resolve to the loopback", () => Effect.gen(function*() {
    const { inspector } = yield* world
    const { url, token } = yield* inspector.open(60_000)
    const statusFor = (host: string) => Effect.callback<number>((resume) => {
      request(`${url}/api/v1/debug/actors`, { headers: { ...bearer(token), host } }, (response) => resume(Effect.succeed(response.resume().statusCode!))).end()
    })
    const port = new URL(url).port
    assert.deepStrictEqual(yield* Effect.forEach([`127.0.0.1:${port}`, `localhost:${port}`, `evil.example:${port}`, "127.0.0.1", `127.0.0.1:${port}.evil.example`], statusFor), [200, 200, 403, 403, 403])
  }).pipe(Effect.scoped))

  it.live("closes when its time is over, even on a client that waits; each has a token of its own", () => Effect.gen(function*() {
    const { inspector } = yield* world
    const short = yield* inspector.open(300)
    const long = yield* inspector.open(60_000)
    assert.strictEqual((yield* get(`${long.url}/api/v1/debug/actors`, bearer(short.token))).status, 401)
    const poll = yield* sending(short.url, `GET /api/v1/debug/journal?prefix=nobody&waitMs=30000 HTTP/1.1\r\nHost: ${new URL(short.url).host}\r\nAuthorization: Bearer ${short.token}\r\n\r\n`)
    assert.match(yield* answerTo(poll), /^(HTTP\/1\.1 503 |$)/)
    assert.isTrue(yield* refused(short.url))
    assert.strictEqual((yield* get(`${long.url}/inspector/`)).status, 200)
  }).pipe(Effect.scoped))

  it.live("ends with the agent; has limits; says when the page was not built", () => Effect.gen(function*() {
    const { inspector, scope, folder } = yield* world
    assert.match((yield* Effect.flip(inspector.open(25 * 3_600_000))).message, /up to 24 hours/)
    assert.match((yield* Effect.flip(inspector.open(0))).message, /up to 24 hours/)
    const all = yield* Effect.forEach(Array.from({ length: 8 }), () => inspector.open(60_000))
    assert.match((yield* Effect.flip(inspector.open(60_000))).message, /8 inspectors are open already/)
    const { url } = all[0]!
    writeFileSync(join(folder, "inspector/index.html"), "")
    yield* Effect.promise(() => import("node:fs/promises").then(({ rm }) => rm(join(folder, "inspector"), { recursive: true })))
    assert.deepInclude((yield* get(`${url}/inspector/`)).json, { status: 404, detail: "The inspector page is not part of this installation.", hint: "Build it: scripts/setup" })
    yield* sending(url, "GET /inspector/ HTTP/1.1\r\n")
    yield* Scope.close(scope, yield* Effect.exit(Effect.void))
    assert.isTrue(yield* refused(url))
  }).pipe(Effect.scoped))

  it.live("a client that never reads, one that sends garbage, one that sends far too much and one that opens too many connections stop nobody", () => Effect.gen(function*() {
    const { inspector } = yield* world
    const { url, token } = yield* inspector.open(60_000)
    const other = yield* inspector.open(60_000)
    const host = `Host: ${new URL(url).host}`
    const before = process.memoryUsage().rss
    for (const path of ["/inspector/inspector.js", "/api/v1/debug/charts"]) {
      yield* sending(url, `GET ${path} HTTP/1.1\r\n${host}\r\nAuthorization: Bearer ${token}\r\n\r\n`.repeat(500))
    }
    assert.match(yield* answerTo(yield* sending(url, "\u0000\u0001 garbage\r\n\r\n")), /^HTTP\/1\.1 400 /)
    assert.match(yield* answerTo(yield* sending(url, `GET / HTTP/1.1\r\n${host}\r\nCookie: ${megabyte}\r\n\r\n`)), /^HTTP\/1\.1 431 /)
    const upload = yield* sending(url, `GET /api/v1/debug/actors HTTP/1.1\r\n${host}\r\nAuthorization: Bearer ${token}\r\nContent-Length: 1000000000\r\n\r\n${megabyte}`)
    upload.destroy()
    assert.strictEqual((yield* get(`${url}/api/v1/debug/actors`, bearer(token))).status, 200)
    yield* Effect.forEach(Array.from({ length: 40 }), () => sending(url, ""), { concurrency: "unbounded" })
    assert.strictEqual((yield* get(`${other.url}/api/v1/debug/actors`, bearer(other.token))).status, 200)
    assert.isBelow(process.memoryUsage().rss - before, 100 * 1024 * 1024)
  }).pipe(Effect.scoped))
})
