/** A network's life on one agent: join, publish, linger, leave, drop; meshd is the stand-in, the control plane a few answers. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Option, Stream } from "effect"
import { TestClock } from "effect/testing"
import { existsSync, mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { ActorSystem } from "../../src/actors/runtime/ActorSystem.ts"
import { supervisorChild } from "../../src/actors/runtime/ChildSpec.ts"
import * as Supervisor from "../../src/actors/runtime/Supervisor.ts"
import * as Address from "../../src/agent/addresses.ts"
import { Control, type ControlClient } from "../../src/agent/Control.ts"
import { DataPlane } from "../../src/agent/dataplane/DataPlane.ts"
import { Freshness } from "../../src/agent/Freshness.ts"
import { Knowledge } from "../../src/agent/Knowledge.ts"
import { Membership } from "../../src/agent/mesh/Membership.ts"
import { MeshFiles } from "../../src/agent/mesh/MeshFiles.ts"
import { Networks } from "../../src/agent/Networks.ts"
import { Topologies } from "../../src/agent/Topologies.ts"
import { AgentName } from "../../src/domain/DnsLabel.ts"
import { AgentId } from "../../src/domain/Ids.ts"
import { diff, type Topology } from "../../src/domain/Topology.ts"
import { topologyOf } from "../domain/topologies.ts"
import { fakeMeshd } from "../harness/fakeMeshd.ts"
import { configIn, temporaryFolder } from "./settings.ts"

const here = AgentId.make("agt_000000000000000000")
const hosting = (version: number): Topology => topologyOf({ version, members: [{ sandbox: 0, agent: 0, team: "red" }], aliases: [], rules: [] })
const empty = (version: number): Topology => topologyOf({ version, members: [{ sandbox: 1, agent: 1, team: "red" }], aliases: [], rules: [] })
const id = hosting(1).networkId
const published = (topology: Topology): Topology => ({ ...topology, agents: topology.agents.map((agent) => ({ ...agent, node: { id: `n-${id}`, address: "100.64.0.9" } })) })

const world = Effect.gen(function*() {
  const folder = yield* temporaryFolder
  const meshd = yield* fakeMeshd(join(folder, "meshd.sock"))
  meshd.needsKey.add(id)
  const asked: Array<string> = []
  const grant = { authKey: "key", controlUrl: "http://10.0.0.1:8080", hostname: "host-1", expiresAt: 0 }
  const client = {
    MintJoinKey: () => Effect.sync(() => { asked.push("key"); return grant }),
    ReportJoined: () => Effect.sync(() => { asked.push("report"); return { nodeId: `n-${id}`, address: "100.64.0.9" } })
  } as unknown as ControlClient
  const context = yield* Layer.build(Networks.layer.pipe(
    Layer.provideMerge(Membership.layer), Layer.provideMerge(MeshFiles.layer), Layer.provideMerge(DataPlane.layer),
    Layer.provideMerge(Layer.mergeAll(Topologies.layer, Freshness.layer, Control.layer, ActorSystem.layer)),
    Layer.provideMerge(Knowledge.layer), Layer.provide(configIn(folder))))
  Context.get(context, Control).client = client
  Context.get(context, Knowledge).identity = { agentId: here, name: AgentName.make("host-1") }
  const knowledge = Context.get(context, Knowledge), dataPlane = Context.get(context, DataPlane), networks = Context.get(context, Networks), actors = Context.get(context, ActorSystem)
  yield* Supervisor.start({
    address: Address.root, strategy: "oneForOne", intensity: { restarts: 3, withinMs: 1000 },
    children: [supervisorChild({ id: "networks", strategy: "oneForOne", intensity: { restarts: 3, withinMs: 1000 }, restart: "permanent", shutdownMs: 1000, children: networks.children() })]
  }).pipe(Effect.provideContext(context))
  const connect = Effect.forkScoped(Effect.exit(Stream.runDrain(dataPlane.session)))
  const session = yield* connect
  return { folder, session, meshd, knowledge, asked, files: Context.get(context, MeshFiles), networks, actors, dataPlane, connect, joined: actors.waitFor(Address.join(id), "member.joined") }
})
const snapshot = (topology: Topology) => ({ _tag: "Snapshot", topology } as const)

describe("networks", () => {
  it.effect("joins with a key when meshd has no state, on a port of its own, and reports", () => Effect.gen(function*() {
    const { networks, meshd, asked, joined } = yield* world
    assert.deepInclude(yield* networks.receive(snapshot(hosting(3))), { networkId: id, version: 3 })
    yield* joined
    assert.deepStrictEqual(asked, ["key", "report"])
    assert.deepStrictEqual(meshd.callsOf("join"), [{ network: id, hostname: "host-1", controlUrl: "http://10.0.0.1:8080", udpPort: 41650, transport: "auto", authKey: "key" }])
    assert.deepStrictEqual(yield* networks.inventory, [{ networkId: id, version: 3, joined: true }])
  }))

  it.effect("joins again by itself after meshd was restarted, without key or report", () => Effect.gen(function*() {
    const { networks, meshd, asked, joined, connect, actors } = yield* world
    yield* networks.receive(snapshot(hosting(3)))
    yield* joined
    yield* networks.receive(snapshot(published(hosting(4))))
    yield* Effect.promise(() => meshd.crash())
    yield* actors.waitFor(Address.join(id), "member.failed")
    const again = yield* fakeMeshd(meshd.path)
    yield* connect
    yield* joined
    assert.deepStrictEqual(again.callsOf("join").map((call) => call.authKey), [undefined])
    assert.deepStrictEqual(asked, ["key", "report"])
  }))

  it.effect("joins again with a new key when the mesh does not accept its node any more", () => Effect.gen(function*() {
    const { networks, meshd, asked, joined, actors } = yield* world
    yield* networks.receive(snapshot(hosting(3)))
    yield* joined
    meshd.needsKey.add(id)
    meshd.setNode({ ...meshd.nodes.get(id)!, state: "failed", error: "its key has expired" })
    const failed = yield* actors.waitFor(Address.join(id), "member.failed")
    assert.strictEqual(failed.context["lastError"], "its key has expired")
    yield* TestClock.adjust("250 millis")
    yield* joined
    assert.deepStrictEqual(asked, ["key", "report", "key", "report"])
  }))

  it.effect("leaves a minute after the last member, unless one comes back", () => Effect.gen(function*() {
    const { networks, meshd, joined, actors, folder } = yield* world
    yield* networks.receive(snapshot(hosting(3)))
    yield* joined
    yield* networks.receive(snapshot(empty(4)))
    yield* actors.waitFor(Address.join(id), "lingering")
    yield* networks.receive(snapshot(hosting(5)))
    yield* joined
    yield* networks.receive(snapshot(empty(6)))
    yield* actors.waitFor(Address.join(id), "lingering")
    yield* TestClock.adjust("59 seconds")
    assert.deepStrictEqual(meshd.callsOf("leave"), [])
    yield* TestClock.adjust("1 second")
    yield* actors.waitFor(Address.join(id), "left")
    assert.deepStrictEqual(meshd.callsOf("leave"), [{ network: id, forget: true }])
    assert.isFalse(existsSync(join(folder, `state/mesh/${id}.json`)))
  }))

  it.effect("a dropped network is out of the plan at once, and out of the tree when its mesh is left", () => Effect.gen(function*() {
    const { networks, meshd, joined, actors, folder } = yield* world
    yield* networks.receive(snapshot(hosting(3)))
    yield* joined
    yield* networks.drop(id)
    assert.deepStrictEqual(meshd.plan.networks, [])
    assert.isFalse(existsSync(join(folder, `state/topologies/${id}.json`)))
    yield* actors.waitFor(Address.join(id), "lingering")
    yield* TestClock.adjust("1 minute")
    const there = Effect.andThen(Effect.promise(() => new Promise(setImmediate)), Effect.option(actors.snapshot(Address.network(id))))
    yield* Effect.repeat(there, { until: Option.isNone })
    assert.deepInclude(yield* networks.receive(snapshot(hosting(9))), { version: 9 })
    yield* joined
  }))

  it.effect("leaves the mesh of a network that was dropped while no agent ran to leave it", () => Effect.gen(function*() {
    const { meshd, folder, files, connect, session, dataPlane } = yield* world
    yield* files.put(id, { authKey: "", controlUrl: "http://10.0.0.1:8080", hostname: "host-1", expiresAt: 0 })
    yield* dataPlane.enforce
    meshd.disconnect()
    yield* Fiber.join(session)
    yield* connect
    yield* Effect.repeat(Effect.promise(() => new Promise(setImmediate)), { until: () => meshd.callsOf("leave").length > 0 })
    yield* Effect.repeat(Effect.promise(() => new Promise(setImmediate)), { until: () => !existsSync(join(folder, `state/mesh/${id}.json`)) })
  }))

  it.effect("takes deltas, asks for the whole when it cannot, and says why something is not in force", () => Effect.gen(function*() {
    const { networks, meshd } = yield* world
    yield* networks.receive(snapshot(hosting(3)))
    assert.deepInclude(yield* networks.receive({ _tag: "Delta", delta: diff(hosting(3), empty(4)) }), { version: 4 })
    assert.deepInclude(yield* Effect.flip(networks.receive({ _tag: "Delta", delta: diff(hosting(3), empty(5)) })), { _tag: "SnapshotNeeded", have: 4 })
    meshd.gate = new Promise(() => {})
    const waiting = yield* Effect.forkChild(Effect.flip(networks.receive(snapshot(hosting(6)))))
    yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 50))) // real I/O on its way
    yield* TestClock.adjust("5 seconds")
    assert.deepInclude(yield* Fiber.join(waiting), { _tag: "NotApplied", version: 6 })
  }))

  it.effect("an acknowledgement names the streams that its version closed, once, and none that something here closed", () => Effect.gen(function*() {
    const { networks, meshd, dataPlane, knowledge } = yield* world
    const versionOf = (plan: typeof meshd.plan) => plan.networks.find((network) => network.id === id)?.topologyVersion ?? 0
    meshd.closes = (before, after) => [{ network: id, before: versionOf(before), outbound: [`out-${versionOf(after)}`], inbound: ["in"], lastMicros: 5 }]
    assert.deepInclude((yield* networks.receive(snapshot(hosting(3)))).closed, { asSource: ["out-3"], asTarget: ["in"] })

    knowledge.putRunning({ id: hosting(3).members[0]!.id, pid: 7, startTime: 1 })
    yield* dataPlane.enforce // the same version: not its doing
    meshd.closes = () => []
    assert.notProperty(yield* networks.receive(snapshot(hosting(4))), "closed")

    meshd.closes = (before) => [{ network: id, before: versionOf(before), outbound: [], inbound: ["last"], lastMicros: 5 }]
    assert.deepInclude((yield* networks.drop(id)).closed, { asSource: [], asTarget: ["last"] })
  }))

  it.effect("an answer that was lost is told again, until the control plane has acknowledged one that tells it", () => Effect.gen(function*() {
    const { networks, meshd } = yield* world
    const versionOf = (plan: typeof meshd.plan) => plan.networks.find((network) => network.id === id)?.topologyVersion ?? 0
    meshd.closes = (before, after) => versionOf(before) === versionOf(after) ? [] : [{ network: id, before: versionOf(before), outbound: [`out-${versionOf(after)}`], inbound: [], lastMicros: 5 }]
    const told = (answer: { readonly closed?: { readonly asSource: ReadonlyArray<string> } }) => answer.closed?.asSource
    assert.deepStrictEqual(told(yield* networks.receive(snapshot(hosting(3)), 0)), ["out-3"])
    assert.deepStrictEqual(told(yield* networks.receive(snapshot(hosting(3)), 0)), ["out-3"], "asked again")
    assert.deepStrictEqual(told(yield* networks.receive(snapshot(hosting(4)), 0)), ["out-3", "out-4"], "a later version, before that answer was heard")
    assert.deepStrictEqual(told(yield* networks.receive(snapshot(hosting(5)), 4)), ["out-5"])
    assert.deepStrictEqual(told(yield* networks.receive(snapshot(hosting(5)))), ["out-5"], "by one that does not say what it has")
    assert.isUndefined(told(yield* networks.receive(snapshot(hosting(5)), 5)))
    assert.deepStrictEqual(told(yield* networks.drop(id, 5)), ["out-0"])
    assert.deepStrictEqual(told(yield* networks.drop(id, 5)), ["out-0"])
    assert.deepStrictEqual(told(yield* networks.receive(snapshot(hosting(9)), 0)), ["out-9"], "it takes part anew")
  }))

  it.live("a version that cannot be written is not applied, and the older one is not on disk any more to be taken up again", () => Effect.gen(function*() {
    const { folder, networks } = yield* world
    yield* networks.receive(snapshot(hosting(3)))
    const file = join(folder, "state/topologies", `${id}.json`)
    rmSync(file)
    mkdirSync(join(file, "in the way"), { recursive: true })
    assert.strictEqual((yield* Effect.flip(networks.receive(snapshot(hosting(4)))))._tag, "NotApplied")
    assert.isFalse(existsSync(file))
    assert.deepInclude(yield* networks.receive(snapshot(hosting(5))), { version: 5 })
    assert.isTrue(existsSync(file))
  }))
})
