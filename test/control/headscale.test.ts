/** The managed Headscale, and keys for the mesh, with the real programs: Headscale, and meshd as the node that joins. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Option, Redacted, Scope, Stream } from "effect"
import { spawn } from "node:child_process"
import { copyFile } from "node:fs/promises"
import { createConnection } from "node:net"
import { createInterface } from "node:readline"
import { join } from "node:path"
import { ActorSystem } from "../../src/actors/runtime/ActorSystem.ts"
import type { MeshConfig } from "../../src/control/Config.ts"
import { makeApi } from "../../src/control/Headscale/Api.ts"
import { pathsIn } from "../../src/control/Headscale/config.ts"
import * as HeadscaleProcess from "../../src/control/Headscale/HeadscaleProcess.ts"
import { denyAll, tagOf } from "../../src/control/Headscale/policy.ts"
import { Mesh } from "../../src/control/Mesh.ts"
import { NetworkName, SandboxName } from "../../src/domain/DnsLabel.ts"
import type { JoinGrant } from "../../src/protocol/agent/ControlRpcs.ts"
import type { NetworkId } from "../../src/domain/Ids.ts"
import { freePort } from "../harness/freePort.ts"
import { headscaleBinary, meshdBinary } from "../harness/headscaleBinary.ts"
import { postgres } from "../harness/postgres.ts"
import { controlPlane, serve, temporaryFolder } from "./server.ts"

const managed = Effect.gen(function*() {
  const port = yield* freePort
  return { _tag: "Managed", binary: headscaleBinary, listen: { host: "127.0.0.1", port }, controlUrl: `http://127.0.0.1:${port}` } satisfies MeshConfig
})
const actor = "control/mesh/managedHeadscale"

/** meshd on this host's loopback, without privileges; one request a time. */
const meshd = Effect.fnUntraced(function*(folder: string) {
  const socket = join(folder, "m", "s")
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(meshdBinary, ["-socket", socket, "-state", join(folder, "meshd")], {
      stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, TS_ASSUME_NETWORK_UP_FOR_TEST: "1", TS_DEBUG_OMIT_LOCAL_ADDRS: "1" }
    })),
    (child) => Effect.promise(() => new Promise<void>((done) => { child.once("exit", () => done()); child.kill("SIGTERM") }))
  )
  const lines = createInterface({ input: child.stderr! })
  yield* Effect.callback<void>((resume) => { lines.on("line", (line) => { if (line.includes("\"listening\"")) resume(Effect.void) }) })
  return (method: string, params: object) => Effect.callback<any>((resume) => {
    const connection = createConnection(socket, () => connection.write(`${JSON.stringify({ id: 1, method, params })}\n`))
    createInterface({ input: connection }).on("line", (line) => {
      connection.end()
      resume(Effect.succeed(JSON.parse(line)))
    })
  })
})

const join_ = (call: Effect.Success<ReturnType<typeof meshd>>, network: NetworkId, grant: typeof JoinGrant.Type) =>
  Effect.map(call("join", { network, hostname: grant.hostname, controlUrl: grant.controlUrl, authKey: grant.authKey, transport: "netstack" }), (answer) => {
    assert.isUndefined(answer.error, JSON.stringify(answer.error))
    return answer.result as { readonly nodeId: string; readonly address: string }
  })

describe("managed Headscale", () => {
  it.live("denies everything from its first second, survives kill -9, is taken over as an orphan and ended on shutdown", () => Effect.gen(function*() {
    const folder = yield* temporaryFolder
    const mesh = yield* managed
    const options: HeadscaleProcess.HeadscaleOptions = { binary: mesh.binary, listen: mesh.listen, controlUrl: mesh.controlUrl, paths: pathsIn(join(folder, "headscale")) }

    // As a killed control plane leaves it behind.
    assert.isUndefined(yield* HeadscaleProcess.prepare(options))
    const orphan = yield* HeadscaleProcess.start(options)
    const api = yield* makeApi(mesh.controlUrl, yield* HeadscaleProcess.authorize(options))
    const policy = yield* Effect.promise(async () => (await (await fetch(`${mesh.controlUrl}/api/v1/policy`, { headers: { authorization: `Bearer ${Redacted.value(await Effect.runPromise(HeadscaleProcess.authorize(options)))}` } })).json()) as { policy: string })
    assert.deepStrictEqual(JSON.parse(policy.policy), JSON.parse(denyAll))
    assert.deepStrictEqual(yield* api.nodes, [])

    yield* Effect.scoped(Effect.gen(function*() {
      const actors = yield* ActorSystem
      const first = yield* actors.waitFor(actor, "running")
      assert.strictEqual((first.context["process"] as HeadscaleProcess.HeadscaleProcess).pid, orphan.pid)
      process.kill(orphan.pid, "SIGKILL")
      yield* HeadscaleProcess.gone(orphan)
      yield* actors.waitFor(actor, "pausing")
      const second = yield* actors.waitFor(actor, "running")
      assert.notStrictEqual((second.context["process"] as HeadscaleProcess.HeadscaleProcess).pid, orphan.pid)
      assert.deepStrictEqual(yield* (yield* (yield* Mesh).api).nodes, [])
    })).pipe(Effect.provide(controlPlane(folder, { _tag: "Memory" }, mesh)))
    const answer = yield* Effect.promise(() => fetch(`${mesh.controlUrl}/health`).then(() => "answers", () => "refused"))
    assert.strictEqual(answer, "refused")
  }).pipe(Effect.scoped), 120_000)

  it.live("an orphan with another configuration is ended, not kept", () => Effect.gen(function*() {
    const folder = yield* temporaryFolder
    const mesh = yield* managed
    const options: HeadscaleProcess.HeadscaleOptions = { binary: mesh.binary, listen: mesh.listen, controlUrl: mesh.controlUrl, paths: pathsIn(join(folder, "headscale")) }
    yield* HeadscaleProcess.prepare(options)
    const orphan = yield* HeadscaleProcess.start(options)
    assert.deepInclude(yield* HeadscaleProcess.prepare(options), orphan)
    assert.isUndefined(yield* HeadscaleProcess.prepare({ ...options, controlUrl: "http://127.0.0.1:1" }))
    assert.isFalse(HeadscaleProcess.isAlive(orphan))

    // The program may have been replaced by an upgrade; then the old one must go.
    yield* HeadscaleProcess.prepare(options)
    const old = yield* HeadscaleProcess.start(options)
    const upgraded = join(folder, "headscale-new")
    yield* Effect.promise(() => copyFile(headscaleBinary, upgraded))
    assert.isUndefined(yield* HeadscaleProcess.prepare({ ...options, binary: upgraded }))
    assert.isFalse(HeadscaleProcess.isAlive(old))
  }).pipe(Effect.scoped), 60_000)

  it.live("of two replicas on one PostgreSQL only one runs it, and the other takes over when that ends", () => Effect.gen(function*() {
    const { database } = yield* postgres
    const url = yield* database
    const replica = Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const scope = yield* Scope.make()
      const services = yield* Layer.build(controlPlane(folder, { _tag: "Url", url }, yield* managed)).pipe(Scope.provide(scope))
      return { actors: Context.get(services, ActorSystem), stop: Scope.close(scope, Exit.void) }
    })
    const runs = (actors: typeof ActorSystem.Service) => actors.changes("control/mesh").pipe(
      Stream.filter((snapshot) => snapshot.address === actor && snapshot.state === "running"), Stream.runHead, Effect.timeout("30 seconds"))
    const first = yield* replica
    yield* runs(first.actors)
    const second = yield* replica
    assert.isFalse((yield* second.actors.tree).some((snapshot) => snapshot.address === actor))
    const takesOver = yield* Effect.forkChild(runs(second.actors))
    yield* first.stop
    yield* Fiber.join(takesOver)
    yield* second.stop
  }).pipe(Effect.scoped), 120_000)

  it.live("an agent's key lets one node in; its identity comes from the coordinator; a new join replaces the node; a removed network takes it away", () => Effect.gen(function*() {
    const folder = yield* temporaryFolder
    const mesh = yield* managed
    yield* Effect.gen(function*() {
      const { api: http, agent } = yield* serve(folder)
      yield* (yield* ActorSystem).waitFor(actor, "running")
      const headscale = yield* (yield* Mesh).api
      const a = yield* agent("host-1")
      const name = NetworkName.make("dev")
      const { value: network } = yield* http.networks.create({ payload: { name } })
      assert.strictEqual((yield* a.control.MintJoinKey({ networkId: network.id }).pipe(Effect.flip))._tag, "NotYours")
      yield* http.sandboxes.run({ payload: { name: SandboxName.make("web"), labels: {}, replace: false, spec: { command: ["true"], env: {}, binds: [] } } })
      yield* http.networks.attach({ params: { network: name }, payload: { sandbox: "web", ports: [] } })

      const grant = yield* a.control.MintJoinKey({ networkId: network.id })
      assert.strictEqual(grant.hostname, "host-1-dev")
      assert.strictEqual((yield* a.control.ReportJoined({ networkId: network.id }).pipe(Effect.flip))._tag, "MeshUnavailable")
      const first = yield* Effect.scoped(Effect.flatMap(meshd(folder), (call) => join_(call, network.id, grant)))
      const reported = yield* a.control.ReportJoined({ networkId: network.id })
      assert.deepStrictEqual(reported, { nodeId: first.nodeId, address: first.address })
      assert.deepStrictEqual(yield* a.control.ReportJoined({ networkId: network.id }), reported)
      yield* a.until((state) => state.topologies.get(network.id)?.agents[0]?.node?.id === first.nodeId)
      const [node] = yield* headscale.nodes
      assert.deepStrictEqual(node!.tags, [tagOf(network.id, "agent")])

      const other = join(folder, "again")
      const second = yield* Effect.scoped(Effect.flatMap(meshd(other), (call) => Effect.flatMap(a.control.MintJoinKey({ networkId: network.id }), (again) => join_(call, network.id, again))))
      assert.notStrictEqual(second.nodeId, first.nodeId)
      assert.strictEqual((yield* a.control.ReportJoined({ networkId: network.id })).nodeId, second.nodeId)
      yield* untilNodes(headscale, [second.nodeId])

      yield* http.networks.remove({ params: { network: name }, query: { cascade: "true" } })
      yield* untilNodes(headscale, [])
      assert.isTrue(Option.isNone(Option.fromUndefinedOr(a.state.topologies.get(network.id))))
    }).pipe(Effect.scoped, Effect.provide(controlPlane(folder, { _tag: "Memory" }, mesh)))
  }).pipe(Effect.scoped), 120_000)
})

/** The coordinator tells no one when its nodes change, so it is asked. */
const untilNodes = (headscale: Effect.Success<ReturnType<typeof makeApi>>, ids: ReadonlyArray<string>) =>
  headscale.nodes.pipe(
    Effect.repeat({ until: (nodes) => JSON.stringify(nodes.map((node) => node.id)) === JSON.stringify(ids) }),
    Effect.timeout("10 seconds"), Effect.orDie
  )
