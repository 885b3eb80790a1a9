/**
 * Clients that do not behave: those that never read their answers, ask for many at once or never end their request keep the control
 * plane neither from others nor from its end, and make it keep little.
 */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Logger, Scope } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { NodeHttpServer } from "@effect/platform-node"
import { createServer } from "node:http"
import { connect, type Socket } from "node:net"
import * as Listeners from "../../src/control/http/Listeners.ts"
import { boundUnread } from "../../src/protocol/http/unread.ts"

const megabyte = 1024 * 1024
const large = "x".repeat(8 * megabyte)
const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

/** A connection that sends this, and reads nothing. */
const sending = (port: number, bytes: string) => Effect.acquireRelease(
  Effect.callback<Socket>((resume) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes, () => resume(Effect.succeed(socket))))
    socket.on("error", () => undefined).pause()
  }),
  (socket) => Effect.sync(() => socket.destroy())
)
/** All that comes until the other side closes. */
const answers = (socket: Socket) => Effect.callback<string>((resume) => {
  let text = ""
  socket.on("data", (chunk) => { text += String(chunk) }).once("close", () => resume(Effect.succeed(text))).resume()
})
const statuses = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status))

const fetched = (port: number) => Effect.promise(async () => (await fetch(`http://127.0.0.1:${port}/`)).text())

/** The port where this is served as the control plane does. */
const served = <E>(app: Effect.Effect<HttpServerResponse.HttpServerResponse, E>, most?: number) =>
  Effect.map(Listeners.serve(app, { tcp: { host: "127.0.0.1", port: 0 }, socket: undefined }, most), (address) => "port" in address ? address.port : 0)

describe("listeners", () => {
  it.live("end in time, whatever clients do", () => Effect.gen(function*() {
    const scope = yield* Scope.make()
    const port = yield* served(Effect.succeed(HttpServerResponse.text(large))).pipe(Scope.provide(scope))
    yield* sending(port, get)
    yield* sending(port, get.slice(0, -2))
    yield* sending(port, "")
    assert.strictEqual((yield* fetched(port)).length, large.length)
    yield* Scope.close(scope, Exit.void).pipe(Effect.timeout("5 seconds"))
  }).pipe(Effect.scoped, Effect.provide(NodeHttpServer.layerHttpServices)))

  it.live("one answer at a time is made for a connection, however many are asked for and not read", () => Effect.gen(function*() {
    let made = 0
    const port = yield* served(Effect.sync(() => {
      made++
      return HttpServerResponse.text(large.slice(0, megabyte))
    }))
    const before = process.memoryUsage().rss
    const flood = yield* sending(port, get.repeat(300))
    assert.strictEqual((yield* fetched(port)).length, megabyte)
    assert.strictEqual(made, 2)
    assert.isBelow(process.memoryUsage().rss - before, 100 * megabyte)
    const told = yield* answers(flood)
    assert.deepStrictEqual(statuses(told), [200, 429])
    assert.match(told, /before the answer to the last one[^]*Wait for the answer, or open another connection/)
    assert.strictEqual(made, 2)
  }).pipe(Effect.scoped, Effect.provide(NodeHttpServer.layerHttpServices)))

  it.live("a connection that waits for the answer before it asks again is kept", () => Effect.gen(function*() {
    const port = yield* served(Effect.succeed(HttpServerResponse.text("answer")))
    const socket = yield* sending(port, "")
    for (let round = 0; round < 3; round++) {
      const answer = yield* Effect.callback<string>((resume) => {
        socket.once("data", (chunk) => resume(Effect.succeed(String(chunk)))).resume()
        socket.write(get)
      })
      assert.match(answer, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nanswer$/)
    }
  }).pipe(Effect.scoped, Effect.provide(NodeHttpServer.layerHttpServices)))

  it.live("connections beyond the most are turned away, which the log says, and others go on", () => Effect.gen(function*() {
    const said = yield* Deferred.make<string>()
    const log = Logger.make(({ message }) => { Deferred.doneUnsafe(said, Effect.succeed(String(message))) })
    const port = yield* served(Effect.succeed(HttpServerResponse.text("answer")), 1).pipe(Effect.provide(Logger.layer([log])))
    const first = yield* sending(port, "")
    assert.strictEqual(yield* answers(yield* sending(port, get)), "")
    assert.match(yield* Deferred.await(said), /^All 1 connections are taken; more are turned away\. See who holds them: ss -np$/)
    first.write(get.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"))
    assert.deepStrictEqual(statuses(yield* answers(first)), [200])
    assert.strictEqual(yield* fetched(port), "answer")
  }).pipe(Effect.scoped, Effect.provide(NodeHttpServer.layerHttpServices)))

  it.live("a connection that takes nothing of its answer is cut; one that waits for its answer is not", () => Effect.gen(function*() {
    const cut = yield* Deferred.make<void>()
    const node = createServer().on("connection", (connection) => connection.once("close", () => Effect.runSync(Deferred.succeed(cut, undefined))))
    const bounded = boundUnread(node, 200)
    const server = yield* NodeHttpServer.make(() => node, { host: "127.0.0.1", port: 0, gracefulShutdownTimeout: 0 })
    const port = "port" in server.address ? server.address.port : 0
    yield* server.serve(bounded(Effect.gen(function*() {
      const { url } = yield* HttpServerRequest.HttpServerRequest
      if (url === "/late") yield* Deferred.await(cut)
      return HttpServerResponse.text(large)
    })))
    const patient = yield* sending(port, "GET /late HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    yield* sending(port, get)
    yield* Deferred.await(cut)
    const answer = yield* answers(patient)
    assert.deepStrictEqual(statuses(answer), [200])
    assert.isAbove(answer.length, large.length)
  }).pipe(Effect.scoped, Effect.provide(NodeHttpServer.layerHttpServices)))
})
