/** A control plane that sends what it ought not to, and local programs that do: the agent ends that connection, says why, and goes on. */
import { WebSocketServer, type WebSocket } from "@effect/platform-node/NodeWS"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schedule } from "effect"
import type { AddressInfo } from "node:net"
import { createConnection } from "node:net"
import { join } from "node:path"
import { vi } from "vitest"
import * as Address from "../../src/agent/addresses.ts"
import * as Agent from "../../src/agent/Agent.ts"
import { AnswerWithin } from "../../src/agent/Control.ts"
import { ActorSystem } from "../../src/actors/runtime/ActorSystem.ts"
import { largestMessage } from "../../src/agent/webSocket.ts"
import { fakeMeshd } from "../harness/fakeMeshd.ts"
import { FakeHost } from "./fakeDriver.ts"
import { configIn, enrolled, settingsIn, temporaryFolder } from "./settings.ts"

vi.setConfig({ testTimeout: 90_000 })

const eventually = <A, E, R>(look: Effect.Effect<A | undefined, E, R>) => Effect.flatMap(look, (found) => found === undefined ? Effect.fail("not yet") : Effect.succeed(found)).pipe(
  Effect.retry(Schedule.spaced("10 millis")), Effect.timeout("60 seconds"))

const agentOf = Effect.fnUntraced(function*(controlUrl: string) {
  const folder = yield* temporaryFolder
  enrolled(folder)
  yield* fakeMeshd(join(folder, "meshd.sock"))
  const context = yield* Layer.build(Agent.servicesWith(new FakeHost().driver).pipe(Layer.provideMerge(configIn(folder, { controlUrl }))))
  yield* Effect.provideContext(Agent.start, context)
  return { actors: Context.get(context, ActorSystem), socket: settingsIn(folder).agentSocket }
})

/** Takes every connection; what it does with the first of them is the test's. */
const controlThat = Effect.fnUntraced(function*(does: (socket: WebSocket, attach: { readonly id: number }) => void) {
  const server = yield* Effect.acquireRelease(
    Effect.callback<WebSocketServer>((resume) => {
      const server: WebSocketServer = new WebSocketServer({ port: 0, host: "127.0.0.1" }, () => { resume(Effect.succeed(server)) })
    }),
    (server) => Effect.sync(() => { server.clients.forEach((client) => client.terminate()); server.close() }))
  const seen = { attached: 0 }
  server.on("connection", (socket) => {
    socket.on("error", () => {})
    socket.on("message", (data) => {
      const message = JSON.parse(String(data))
      if (message._tag === "Ping") socket.send(JSON.stringify({ _tag: "Pong" }))
      if (message.tag === "Reply") socket.send(JSON.stringify({ _tag: "Exit", requestId: message.id, exit: { _tag: "Success", value: null } }))
      if (message.tag === "Attach" && seen.attached++ === 0) does(socket, message)
    })
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
})

const hostile: ReadonlyArray<readonly [what: string, does: (socket: WebSocket, attach: { readonly id: number }) => void]> = [
  ["a huge message", (socket) => socket.send(Buffer.alloc(largestMessage + 1, 32), { binary: false })],
  ["a huge message in fragments", (socket) => { for (const fin of [false, true]) socket.send(Buffer.alloc(largestMessage / 2 + 1, 32), { binary: false, fin }) }],
  ["what is not JSON", (socket) => socket.send("{")],
  ["JSON that is no message", (socket) => socket.send("null")],
  ["an end of everything", (socket) => socket.send(JSON.stringify({ _tag: "Defect", defect: "boom" }))]
]

const request = (id: number, tag: string, payload: unknown) => ({ _tag: "Request", id, tag, payload, headers: [] })

describe("a hostile control plane", () => {
  it.live.each(hostile)("that sends %s loses the connection; the agent dials again", ([, does]) => Effect.gen(function*() {
    const { seen, url } = yield* controlThat(does)
    const { actors } = yield* agentOf(url)
    yield* eventually(Effect.sync(() => seen.attached >= 2 || undefined))
    yield* actors.waitFor(Address.dataPlane, "session.ready")
  }))

  it.live("that asks for what it does not have, or what nobody can, is answered and stays connected", () => Effect.gen(function*() {
    const answers: Array<string> = []
    const { seen, url } = yield* controlThat((socket, { id }) => {
      socket.on("message", (data) => { answers.push(String(data)) })
      const values = [request(1, "Overthrow", null), request(2, "ApplyTopology", { update: "x".repeat(1 << 20) }), request(3, "StopSandbox", { id: "sbx_000000000000000009" }), request(4, "Inventory", null)]
      socket.send(JSON.stringify({ _tag: "Chunk", requestId: id, values }))
    })
    yield* agentOf(url)
    const answerTo = (id: number) => eventually(Effect.sync(() => answers.find((answer) => answer.includes(`"requestId":${id},`) && answer.includes("\"Reply\""))))
    for (const id of [1, 2, 3]) assert.include(yield* answerTo(id), "Failure")
    assert.include(yield* answerTo(4), "Success")
    assert.strictEqual(seen.attached, 1)
  }))
})

/** The first session is opened, and a call is answered with what is here for it, once. */
const answering = (answers: Readonly<Record<string, unknown>>) => {
  const calls: Array<{ readonly tag: string; readonly payload: any }> = []
  const left = new Map(Object.entries(answers))
  const does = (socket: WebSocket, { id }: { readonly id: number }) => {
    socket.on("message", (data) => {
      const call = JSON.parse(String(data))
      calls.push(call)
      if (left.has(call.tag)) socket.send(JSON.stringify({ _tag: "Exit", requestId: call.id, exit: { _tag: "Success", value: left.get(call.tag) } }))
      left.delete(call.tag)
    })
    socket.send(JSON.stringify({ _tag: "Chunk", requestId: id, values: [request(1, "Inventory", null)] }))
  }
  return { calls, does }
}

describe("a control plane that opens a session", () => {
  it.live.each<readonly [what: string, answers: Readonly<Record<string, unknown>>, told: RegExp]>([
    ["answers nonsense when it is asked which sandboxes ought to run", { DesiredSandboxes: "all of them" }, /^which sandboxes ought to run here is not known: Expected array\b/],
    ["does not answer when it is asked which sandboxes ought to run", {}, /^which sandboxes ought to run here is not known: no answer came within \d+ s$/]
  ])("and %s loses it; the agent says why and dials again", ([, answers, told]) => Effect.gen(function*() {
    const { seen, url } = yield* controlThat(answering(answers).does)
    const { actors } = yield* agentOf(url)
    yield* eventually(Effect.sync(() => seen.attached >= 2 || undefined))
    assert.match(String((yield* actors.snapshot(Address.link)).context["lastError"]), told)
  }).pipe(Effect.provideService(AnswerWithin, "1 second")))

  it.live("and answers nonsense to a report is told of the next one nevertheless", () => Effect.gen(function*() {
    const web = { id: "sbx_000000000000000001", name: "web", spec: { command: ["sleep", "infinity"], env: {}, binds: [] }, run: true }
    const { calls, does } = answering({ DesiredSandboxes: [web], ReportSandbox: { no: "such answer" } })
    const { url } = yield* controlThat(does)
    yield* agentOf(url)
    yield* eventually(Effect.sync(() => calls.some(({ tag, payload }) => tag === "ReportSandbox" && payload.status.state === "running") || undefined))
  }))
})

describe("a hostile local program", () => {
  it.live.each<readonly [what: string, bytes: string]>([
    ["a line without an end", " ".repeat(5 << 20)], ["what is not JSON", "{\n"], ["JSON that is no message", "null\n"], ["an unknown call", `${JSON.stringify({ _tag: "Request", id: "1", tag: "Overthrow", payload: null, headers: [] })}\n`]
  ])("that sends %s harms no other", ([, bytes]) => Effect.gen(function*() {
    const { socket: path } = yield* agentOf("http://127.0.0.1:1")
    const ask = (text: string) => Effect.acquireRelease(Effect.sync(() => { const connection = createConnection(path, () => { connection.write(text) }).on("error", () => {}); return connection }), (connection) => Effect.sync(() => connection.destroy())).pipe(
      Effect.flatMap((connection) => { let heard = ""; connection.on("data", (chunk) => { heard += String(chunk) }); return eventually(Effect.sync(() => heard.includes("\n") || connection.destroyed ? heard : undefined)) }))
    yield* ask(bytes)
    assert.include(yield* ask(`${JSON.stringify({ _tag: "Request", id: "1", tag: "Status", payload: null, headers: [] })}\n`), "dataPlane")
  }))
})
