import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Queue, Stream } from "effect"
import { join } from "node:path"
import { DataPlane, type DataPlaneEvent } from "../../../src/agent/dataplane/DataPlane.ts"
import { Knowledge } from "../../../src/agent/Knowledge.ts"
import { AgentName } from "../../../src/domain/DnsLabel.ts"
import { AgentId, RuleId, SandboxId } from "../../../src/domain/Ids.ts"
import type { Topology } from "../../../src/domain/Topology.ts"
import { topologyOf } from "../../domain/topologies.ts"
import { fakeMeshd } from "../../harness/fakeMeshd.ts"
import { configIn, temporaryFolder } from "../settings.ts"

const id = (prefix: string, n: number) => `${prefix}_${String(n).padStart(18, "0")}`
const box = (n: number) => ({ id: SandboxId.make(id("sbx", n)), pid: 100 + n, startTime: 1 })
const topology = topologyOf({
  version: 1, members: [{ sandbox: 0, agent: 0, team: "red" }, { sandbox: 1, agent: 0, team: "red" }],
  aliases: [{ alias: 0, sandbox: 1, ports: [80] }], rules: [{ rule: 0, alias: 0, port: 80, kind: "Any", sandbox: 0, sourceAlias: 0, team: "red" }]
})

const world = Effect.gen(function*() {
  const folder = yield* temporaryFolder
  const meshd = yield* fakeMeshd(join(folder, "meshd.sock"))
  const context = yield* Layer.build(DataPlane.layer.pipe(Layer.provideMerge(Knowledge.layer), Layer.provide(configIn(folder))))
  return yield* Effect.gen(function*() {
    const dataPlane = yield* DataPlane
    const knowledge = yield* Knowledge
    knowledge.identity = { agentId: AgentId.make(id("agt", 0)), name: AgentName.make("host-1") }
    knowledge.putTopology(topology)
    for (const n of [0, 1]) knowledge.putRunning(box(n))
    return { meshd, dataPlane, knowledge }
  }).pipe(Effect.provideContext(context))
})
type World = Effect.Success<typeof world>

const connect = ({ dataPlane }: World) => Effect.gen(function*() {
  const events = yield* Queue.unbounded<DataPlaneEvent>()
  const fiber = yield* Effect.forkScoped(Effect.exit(Stream.runForEach(dataPlane.session, (event) => Queue.offer(events, event))))
  return { events, fiber }
})
const change = (knowledge: World["knowledge"], next: Partial<Topology>) =>
  knowledge.putTopology({ ...knowledge.topologies.get(topology.networkId)!, ...next })

describe("DataPlane", () => {
  it.live("sends the whole plan once, then only what changed", () => Effect.gen(function*() {
    const w = yield* world
    yield* connect(w)
    assert.strictEqual((yield* w.dataPlane.enforce).generation, 1)
    assert.strictEqual(w.meshd.plan.outbound.length, 2)
    change(w.knowledge, { version: 2, rules: [] })
    yield* w.dataPlane.enforce
    assert.deepStrictEqual(w.meshd.plan.outbound, [])
    const [first, second] = w.meshd.callsOf("apply")
    assert.isNull(first.base)
    assert.deepStrictEqual(Object.keys(second.plan).sort(), ["networks", "outbound"])
    yield* w.dataPlane.enforce
    assert.strictEqual(w.meshd.callsOf("apply").length, 2) // nothing changed, nothing sent
  }))

  it.live("coalesces what changes while an apply is under way", () => Effect.gen(function*() {
    const w = yield* world
    yield* connect(w)
    yield* w.dataPlane.enforce
    let open = () => {}
    w.meshd.gate = new Promise((resolve) => { open = resolve })
    const waiting: Array<Fiber.Fiber<unknown>> = []
    for (let version = 2; version < 12; version++) {
      change(w.knowledge, { version, rules: [{ ...topology.rules[0]!, id: RuleId.make(id("rul", version)) }] })
      waiting.push(yield* Effect.forkChild(w.dataPlane.enforce))
      yield* Effect.yieldNow
    }
    yield* Effect.promise(() => new Promise(setImmediate))
    open()
    yield* Effect.forEach(waiting, Fiber.join)
    assert.isAtMost(w.meshd.callsOf("apply").length, 3)
    assert.strictEqual(w.meshd.plan.networks[0]!.topologyVersion, 11)
  }))

  it.live("resynchronises by the whole plan when meshd's generation is another", () => Effect.gen(function*() {
    const w = yield* world
    yield* connect(w)
    yield* w.dataPlane.enforce
    w.meshd.generation = 40
    change(w.knowledge, { version: 2, rules: [] })
    yield* w.dataPlane.enforce
    assert.deepStrictEqual(w.meshd.callsOf("apply").map((apply) => apply.base), [null, 1, null])
    assert.deepStrictEqual(w.meshd.plan.outbound, [])
  }))

  it.live("a refused plan is tried again, and says why it is not in force", () => Effect.gen(function*() {
    const w = yield* world
    w.meshd.refuse = { code: "bad_request", message: "no such thing" }
    const { events } = yield* connect(w)
    assert.strictEqual((yield* Queue.take(events)).type, "meshd.connected")
    assert.deepStrictEqual(yield* Queue.take(events), { type: "meshd.rejected", reason: "meshd refused the plan: no such thing" })
    assert.strictEqual(yield* w.dataPlane.problem, "meshd refused the plan: no such thing")
    w.meshd.refuse = undefined
    yield* w.dataPlane.enforce
    assert.isUndefined(yield* w.dataPlane.problem)
  }))

  it.live("a sandbox that cannot be served holds nobody up and is tried again", () => Effect.gen(function*() {
    const w = yield* world
    w.meshd.broken.set(box(1).id, "gone")
    const { events } = yield* connect(w)
    yield* w.dataPlane.enforce
    assert.deepStrictEqual(yield* w.dataPlane.sandbox(box(1).id), { ok: false, error: "gone" })
    assert.deepStrictEqual(yield* w.dataPlane.sandbox(box(0).id), { ok: true, error: undefined })
    yield* Queue.take(events)
    assert.deepInclude(yield* Queue.take(events), { type: "meshd.applied", failedSandboxes: 1 })
    w.meshd.broken.clear()
    assert.deepInclude(yield* Queue.take(events), { type: "meshd.applied", failedSandboxes: 0 })
    assert.isTrue((yield* w.dataPlane.sandbox(box(1).id))!.ok)
  }))

  it.live("the session ends with the connection; a new one restores everything", () => Effect.gen(function*() {
    const w = yield* world
    const { fiber } = yield* connect(w)
    yield* w.dataPlane.enforce
    yield* Effect.promise(() => w.meshd.crash())
    yield* Fiber.join(fiber)
    assert.isUndefined(yield* w.dataPlane.inForce)
    const waiting = yield* Effect.forkChild(w.dataPlane.enforce)
    const again = yield* fakeMeshd(w.meshd.path)
    yield* connect(w)
    yield* Fiber.join(waiting)
    assert.strictEqual(again.plan.outbound.length, 2)
  }))
})
