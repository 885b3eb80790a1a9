import * as NodeSocket from "@effect/platform-node/NodeSocket"
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Layer, Logger, type LogLevel, References, Stream } from "effect"
import { RpcClient, RpcSerialization } from "effect/rpc"
import { mkdirSync, statSync, writeFileSync } from "node:fs"
import { createConnection } from "node:net"
import { join } from "node:path"
import { ActorSystem } from "../../src/actors/runtime/ActorSystem.ts"
import * as Address from "../../src/agent/addresses.ts"
import * as Agent from "../../src/agent/Agent.ts"
import { Sandboxes } from "../../src/agent/Sandboxes.ts"
import { SandboxId } from "../../src/domain/Ids.ts"
import { LocalRpcs } from "../../src/protocol/local/LocalRpcs.ts"
import { fakeMeshd } from "../harness/fakeMeshd.ts"
import { FakeHost } from "./fakeDriver.ts"
import { configIn, enrolled, settingsIn, temporaryFolder } from "./settings.ts"

const agentIn = Effect.fnUntraced(function*(folder: string) {
  const context = yield* Layer.build(Agent.servicesWith(new FakeHost().driver).pipe(Layer.provideMerge(configIn(folder))))
  yield* Effect.provideContext(Agent.start, context)
  return { actors: Context.get(context, ActorSystem), sandboxes: Context.get(context, Sandboxes) }
})

const world = Effect.gen(function*() {
  const folder = yield* temporaryFolder
  enrolled(folder)
  mkdirSync(join(folder, "run"), { mode: 0o755 }) // somebody made it before, open to all
  yield* fakeMeshd(join(folder, "meshd.sock"))
  const agent = yield* agentIn(folder)
  const { agentSocket: path } = settingsIn(folder)
  const protocol = yield* Layer.build(RpcClient.layerProtocolSocket().pipe(Layer.provide([RpcSerialization.layerNdjson, NodeSocket.layerNet({ path })])))
  const client = yield* Effect.provideContext(RpcClient.make(LocalRpcs), protocol)
  return { ...agent, client, folder, path }
})
const id = SandboxId.make("sbx_000000000000000001")

describe("local API", () => {
  it.live("is for the owner only", () => Effect.gen(function*() {
    const { path, folder } = yield* world
    assert.strictEqual(statSync(path).mode & 0o777, 0o600)
    assert.strictEqual(statSync(join(folder, "run")).mode & 0o777, 0o700)
  }))

  it.live("shows the agent's state and its actors", () => Effect.gen(function*() {
    const { client, actors } = yield* world
    yield* actors.waitFor(Address.dataPlane, "session.ready")
    const status = yield* client.Status()
    assert.deepInclude(status, { pid: process.pid, sandboxes: [], networks: [] })
    assert.deepStrictEqual([`${status.agent}`, status.dataPlane.state, status.dns.state], ["host-1", "ready", "serving"])
    assert.match(yield* client.Metrics(), /^# TYPE gstacks_streams counter\n[^]*# EOF\n$/)
    assert.include((yield* client.Actors()).map((actor) => actor.address), Address.link)
  }))

  it.live("says what is wrong with a sandbox that is not here, or not running", () => Effect.gen(function*() {
    const { client, sandboxes, folder } = yield* world
    const exec = (sandbox: string) => Effect.flip(Stream.runDrain(client.Exec({ sandbox, command: ["true"], env: {}, stdin: false })))
    assert.deepInclude(yield* exec("web"), { _tag: "NoSuchSandbox", hint: "see where it runs: gstacks sandbox list" })
    yield* sandboxes.start({ id, name: "web", spec: { command: ["true"], env: {}, binds: [] } })
    yield* sandboxes.stop(id)
    assert.deepInclude(yield* exec("web"), { _tag: "ExecFailed", hint: "see how it ended: gstacks sandbox show web" })
    assert.deepInclude(yield* Effect.flip(client.ExecSignal({ execId: "x", signal: "SIGINT" })), { _tag: "ExecFailed" })
    mkdirSync(join(folder, "state/sandboxes", id), { recursive: true })
    writeFileSync(join(folder, "state/sandboxes", id, "output.log"), "one\ntwo\n")
    for (const follow of [false, true]) {
      assert.strictEqual((yield* Stream.runCollect(client.Logs({ sandbox: "web", follow }))).join(""), "one\ntwo\n")
    }
  }))

  it.live("takes a command that ends before it is answered for no error", () => Effect.gen(function*() {
    const heard = yield* Deferred.make<LogLevel.LogLevel>()
    const logger = Logger.make(({ logLevel, message }) => {
      if (/SocketServer|ended early/.test(String(message))) Deferred.doneUnsafe(heard, Effect.succeed(logLevel))
    })
    const { path } = yield* world.pipe(Effect.provide(Logger.layer([logger])), Effect.provideService(References.MinimumLogLevel, "Debug"))
    const hurried = createConnection(path, () => {
      hurried.write(`${JSON.stringify({ _tag: "Request", id: "1", tag: "Status", payload: null, headers: [] })}\n`)
      hurried.destroy()
    })
    assert.strictEqual(yield* Deferred.await(heard), "Debug")
  }))

  it.live("a second agent on the same folder is turned away", () => Effect.gen(function*() {
    const { folder } = yield* world
    const second = yield* Effect.flip(agentIn(folder))
    assert.include(String((second as { message: string }).message), "another agent answers")
  }))
})
