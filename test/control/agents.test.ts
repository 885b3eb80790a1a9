/** Agents over real WebSockets: what they are sent, what receipts say, what they may not do. */
import { assert, layer } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { asPrincipal, Changes } from "../../src/control/Changes.ts"
import { AliasName, NetworkName, Port, SandboxName } from "../../src/domain/DnsLabel.ts"
import type { AgentId } from "../../src/domain/Ids.ts"
import type { Topology } from "../../src/domain/Topology.ts"
import { NotApplied, SandboxStartFailed } from "../../src/protocol/agent/AgentRpcs.ts"
import { fakeAgent } from "../harness/fakeAgent.ts"
import { controlPlane, serve, temporaryFolder } from "./server.ts"

class Server extends Context.Service<Server, Effect.Success<ReturnType<typeof serve>>>()("test/Server") {}
const server = Layer.unwrap(Effect.gen(function*() {
  const folder = yield* temporaryFolder
  return Layer.provideMerge(Layer.effect(Server, serve(folder)), controlPlane(folder))
}))

let counter = 0
const fresh = (prefix: string): string => `${prefix}-${++counter}`
const port = Schema.decodeSync(Port)(8080)
const api = AliasName.make("api")

/** A network, and a sandbox on each of the agents. */
const scene = Effect.fnUntraced(function*(hosts: ReadonlyArray<{ readonly name: string }>) {
  const { api: http } = yield* Server
  const network = NetworkName.make(fresh("net"))
  const { value } = yield* http.networks.create({ payload: { name: network } })
  const sandboxes = yield* Effect.forEach(hosts, (host) => http.sandboxes.run({
    payload: { name: SandboxName.make(fresh("box")), agent: host.name, labels: {}, replace: false, spec: { command: ["true"], env: {}, binds: [] } }
  }))
  const attach = (index: number, alias?: AliasName) => http.networks.attach({
    params: { network }, payload: { sandbox: sandboxes[index]!.name, ...(alias === undefined ? {} : { alias }), ports: alias === undefined ? [] : [port] }
  })
  const receipt = (version: number, timeoutMs = 5000) => http.networks.receipt({ params: { network, version }, query: { timeoutMs } })
  return { network, id: value.id, sandboxes, attach, receipt }
})

layer(server, { timeout: "2 minutes", excludeTestServices: true })("agents", (it) => {
  it.effect("the upgrade is refused without a credential that is known", () => Effect.gen(function*() {
    const { url } = yield* Server
    const refused = yield* Effect.exit(fakeAgent({ url, credential: "gsa_wrong" }))
    assert.isTrue(Exit.isFailure(refused))
    const answer = yield* Effect.promise(() => fetch(`${url}/api/v1/agent`))
    assert.strictEqual(answer.status, 401)
    assert.strictEqual(answer.headers.get("content-type"), "application/problem+json")
  }))

  it.effect("an enrolment token enrols one agent, once", () => Effect.gen(function*() {
    const { api: http } = yield* Server
    const { secret, token } = yield* http.tokens.create({ payload: { kind: "enrolment", name: "one" } })
    const name = fresh("host") as never
    yield* http.enrolment.enrol({ payload: { token: secret, name } })
    const again = yield* http.enrolment.enrol({ payload: { token: secret, name: fresh("host") as never } }).pipe(Effect.flip)
    assert.strictEqual(again._tag, "EnrolmentRefused")
    assert.include(again.message, "has used it")
    assert.strictEqual((yield* http.tokens.list()).find((listed) => listed.id === token.id)!.usedBy, name)
  }))

  it.effect("a participant gets a snapshot first, deltas after, and receipts count its acknowledgements", () => Effect.gen(function*() {
    const { agent, api: http } = yield* Server
    const a = yield* (yield* Server).agent(fresh("host"))
    const b = yield* agent(fresh("host"))
    const { network, attach, receipt, sandboxes } = yield* scene([a, b])
    yield* attach(0)
    yield* attach(1, api)
    const { change } = yield* http.networks.allow({ params: { network }, payload: { from: `sandbox:${sandboxes[0]!.name}`, to: api, port } })
    const done = yield* receipt(change.version)
    assert.deepStrictEqual([done.applied, done.participants, done.pending], [2, 2, []])
    assert.isBelow(done.elapsedMs!, 1000)
    assert.strictEqual(a.state.updates[0], "Snapshot")
    assert.isTrue(a.state.updates.slice(1).every((update) => update === "Delta"))
    const [mine, theirs] = [a, b].map((agent) => [...agent.state.topologies.values()][0]!)
    assert.deepStrictEqual(mine, theirs)
    assert.strictEqual(mine!.version, change.version)
    assert.strictEqual(mine!.rules.length, 1)
    const shown = yield* http.networks.show({ params: { network } })
    assert.deepStrictEqual(shown.agents.map(({ online, applied }) => [online, applied]), [[true, change.version], [true, change.version]])
  }))

  it.effect("a receipt may wait until the agents are ready: joined, and told of each other's nodes", () => Effect.gen(function*() {
    const { agent, api: http } = yield* Server
    const changes = yield* Changes
    const sql = yield* SqlClient.SqlClient
    const a = yield* agent(fresh("host")), b = yield* agent(fresh("host"))
    const { network, attach, receipt } = yield* scene([a, b])
    yield* attach(0)
    const { change } = yield* attach(1, api)
    assert.deepStrictEqual((yield* receipt(change.version)).pending, [])
    const ready = (timeoutMs: number) => http.networks.receipt({ params: { network, version: change.version }, query: { timeoutMs, until: "ready" } })
    assert.deepStrictEqual((yield* ready(0)).pending.map(({ reason }) => reason), ["is joining the mesh", "is joining the mesh"])
    const waiting = yield* Effect.forkChild(ready(5000))
    const join = (host: { readonly agentId: AgentId }, address: string) => changes.apply(network, "mesh.joined", ({ id }) =>
      Effect.as(sql`insert into mesh_nodes (network_id, agent_id, node_id, address, joined_at) values (${id}, ${host.agentId}, ${address}, ${address}, now())`, null)
    ).pipe(asPrincipal("test"))
    yield* join(a, "100.64.0.1")
    assert.deepStrictEqual((yield* ready(300)).pending.map((pending) => pending.agent as string), [b.name as string])
    yield* join(b, "100.64.0.2")
    const done = yield* Fiber.join(waiting)
    assert.deepStrictEqual([done.applied, done.participants, done.pending, done.version], [2, 2, [], change.version])
    assert.isAtLeast(done.elapsedMs!, 300)
    assert.deepStrictEqual([a, b].map(({ state }) => [...state.topologies.values()][0]!.agents.every((host) => host.node !== null)), [true, true])
  }))

  it.effect("an agent that loses its last member withdraws, and counts for that version", () => Effect.gen(function*() {
    const { agent, api: http } = yield* Server
    const a = yield* agent(fresh("host")), b = yield* agent(fresh("host"))
    const { network, attach, receipt, sandboxes } = yield* scene([a, b])
    yield* attach(0)
    yield* receipt((yield* attach(1)).change.version)
    const { change } = yield* http.networks.detach({ params: { network, sandbox: sandboxes[1]!.name } })
    const done = yield* receipt(change.version)
    assert.deepStrictEqual([done.applied, done.participants], [2, 2])
    assert.strictEqual(b.state.updates.at(-1), "Drop")
    const later = yield* http.networks.allow({ params: { network }, payload: { from: "any", to: api, port } }).pipe(Effect.flip)
    assert.strictEqual(later._tag, "AliasNotFound")
    yield* http.networks.detach({ params: { network, sandbox: sandboxes[0]!.name } })
    const removed = yield* http.networks.remove({ params: { network }, query: {} })
    assert.strictEqual((yield* receipt(removed.change.version)).participants, 0)
  }))

  it.effect("a removed network is rolled out too", () => Effect.gen(function*() {
    const { agent, api: http } = yield* Server
    const a = yield* agent(fresh("host"))
    const { network, attach, receipt } = yield* scene([a])
    yield* receipt((yield* attach(0, api)).change.version)
    const { change } = yield* http.networks.remove({ params: { network }, query: { cascade: "true" } })
    assert.deepStrictEqual(yield* receipt(change.version).pipe(Effect.map(({ applied, participants }) => [applied, participants])), [1, 1])
    assert.strictEqual(a.state.topologies.size, 0)
  }))

  it.effect("a slow agent skips versions, and holds nobody up", () => Effect.gen(function*() {
    const { agent, api: http } = yield* Server
    const gate = yield* Deferred.make<void>()
    const seen: Array<number> = []
    const slow = yield* agent(fresh("host"), {
      overrides: {
        ApplyTopology: ({ update }) => Effect.gen(function*() {
          const topology = update._tag === "Snapshot" ? update.topology : update.delta
          seen.push(topology.version)
          yield* Deferred.await(gate)
          return { networkId: topology.networkId, version: topology.version, micros: 1 }
        })
      }
    })
    const fast = yield* agent(fresh("host"))
    const { network, attach, receipt } = yield* scene([slow, fast])
    yield* attach(0)
    yield* attach(1, api)
    for (let i = 0; i < 5; i++) yield* http.networks.allow({ params: { network }, payload: { from: `label:n=${i}`, to: api, port } })
    const last = 8
    yield* fast.until((state) => [...state.topologies.values()].some((topology) => topology.name === network && topology.version === last))
    const waiting = yield* receipt(last, 0)
    assert.deepStrictEqual(waiting.pending.map(({ agent, online }) => [agent as string, online]), [[slow.name as string, true]])
    yield* Deferred.succeed(gate, undefined)
    assert.deepStrictEqual((yield* receipt(last)).pending, [])
    assert.deepStrictEqual([seen[0], seen.at(-1)], [2, last])
    assert.isBelow(seen.length, 4)
  }))

  it.effect("an update that is stored but not in force is explained, and asked for again", () => Effect.gen(function*() {
    const { agent } = yield* Server
    let attempts = 0
    const a = yield* agent(fresh("host"), {
      overrides: {
        ApplyTopology: ({ update }) => {
          const { networkId, version } = update._tag === "Snapshot" ? update.topology : update.delta
          return ++attempts === 1 ? Effect.fail(new NotApplied({ networkId, version, reason: "meshd is away" })) : Effect.succeed({ networkId, version, micros: 1 })
        }
      }
    })
    const { attach, receipt } = yield* scene([a])
    const { change } = yield* attach(0)
    const first = yield* receipt(change.version, 300)
    assert.strictEqual(first.pending[0]?.reason, "meshd is away")
    assert.strictEqual((yield* receipt(change.version)).applied, 1)
  }))

  it.effect("who returns gets a delta from what it has, or a snapshot, and drops what it has no part in", () => Effect.gen(function*() {
    const { agent, api: http, url } = yield* Server
    const first = yield* Effect.scoped(Effect.gen(function*() {
      const a = yield* agent(fresh("host"))
      const world = yield* scene([a])
      yield* world.receipt((yield* world.attach(0, api)).change.version)
      return { a, world, topology: [...a.state.topologies.values()][0]! }
    }))
    const { world, topology, a } = first
    const { change } = yield* http.networks.allow({ params: { network: world.network }, payload: { from: "local", to: api, port } })
    const away = yield* world.receipt(change.version, 0)
    assert.deepStrictEqual(away.pending.map(({ online, reason }) => [online, reason]), [[false, "is not connected"]])

    const foreign: Topology = { ...topology, networkId: "net_000000000000000001" as never, version: 3 }
    yield* Effect.scoped(Effect.gen(function*() {
      const back = yield* fakeAgent({ url, credential: a.credential, topologies: new Map([[topology.networkId, topology], [foreign.networkId, foreign]]) })
      assert.strictEqual((yield* world.receipt(change.version)).applied, 1)
      yield* back.until((state) => state.topologies.size === 1)
      assert.deepStrictEqual([...back.state.updates].sort(), ["Delta", "Drop"])
    }))
    const unknownBase: Topology = { ...topology, version: 99 }
    yield* Effect.scoped(Effect.gen(function*() {
      const back = yield* fakeAgent({ url, credential: a.credential, topologies: new Map([[topology.networkId, unknownBase]]) })
      yield* back.until((state) => state.topologies.get(topology.networkId)?.version === change.version)
      assert.deepStrictEqual(back.state.updates, ["Snapshot"])
    }))
  }))

  it.effect("the newest session of an agent wins; the older one is closed", () => Effect.gen(function*() {
    const { agent, url, api: http } = yield* Server
    const older = yield* agent(fresh("host"))
    const newer = yield* fakeAgent({ url, credential: older.credential })
    assert.isTrue(Exit.isSuccess(yield* older.ended.pipe(Effect.timeout("5 seconds"))))
    const { attach, receipt } = yield* scene([older])
    assert.strictEqual((yield* receipt((yield* attach(0)).change.version)).applied, 1)
    assert.strictEqual(newer.state.topologies.size, 1)
    assert.strictEqual((yield* http.agents.show({ params: { agent: older.name } })).online, true)
  }))

  it.effect("sandboxes: run, logs, stop, remove; a report about another agent's sandbox is refused", () => Effect.gen(function*() {
    const { agent, api: http } = yield* Server
    const a = yield* agent(fresh("host")), b = yield* agent(fresh("host"))
    const { sandboxes } = yield* scene([a])
    const [box] = sandboxes
    assert.strictEqual(box!.state, "running")
    const params = { sandbox: box!.name }
    assert.strictEqual((yield* http.sandboxes.logs({ params })).text, "hello\n")
    const exited = { id: box!.id, state: "stopped" as const, exitCode: 3, reason: null }
    assert.strictEqual((yield* b.control.ReportSandbox({ status: exited }).pipe(Effect.flip))._tag, "NotYours")
    assert.strictEqual((yield* http.sandboxes.show({ params })).state, "running")
    yield* a.control.ReportSandbox({ status: exited })
    assert.deepStrictEqual(yield* http.sandboxes.show({ params }).pipe(Effect.map(({ state, exitCode }) => [state, exitCode])), ["stopped", 3])
    assert.deepStrictEqual(yield* a.control.DesiredSandboxes().pipe(Effect.map((all) => all.map(({ id, run }) => [id, run]))), [[box!.id, false]])
    yield* http.sandboxes.stop({ params })
    assert.strictEqual((yield* http.agents.remove({ params: { agent: a.name } }).pipe(Effect.flip))._tag, "AgentInUse")
    yield* http.sandboxes.remove({ params })
    assert.strictEqual(a.state.sandboxes.size, 0)
    assert.deepStrictEqual(yield* a.control.DesiredSandboxes(), [])
    yield* http.agents.remove({ params: { agent: a.name } })
    assert.isTrue(Exit.isSuccess(yield* a.ended.pipe(Effect.timeout("5 seconds"))))
  }))

  it.effect("a sandbox that cannot be started, or whose agent is away, leaves nothing behind", () => Effect.gen(function*() {
    const { agent, enrol, api: http } = yield* Server
    const broken = yield* agent(fresh("host"), { overrides: { StartSandbox: () => Effect.fail(new SandboxStartFailed({ reason: "no bwrap", hint: "install it" })) } })
    const away = yield* enrol(fresh("host"))
    const name = SandboxName.make(fresh("box"))
    const run = (on: string, replace = false) => http.sandboxes.run({ payload: { name, agent: on, labels: {}, replace, spec: { command: ["true"], env: {}, binds: [] } } }).pipe(Effect.flip)
    assert.strictEqual((yield* run(broken.name))._tag, "SandboxFailed")
    assert.strictEqual((yield* run(away.name))._tag, "AgentUnavailable")
    assert.strictEqual((yield* http.sandboxes.show({ params: { sandbox: name } }).pipe(Effect.flip))._tag, "SandboxNotFound")
    const { sandboxes } = yield* scene([yield* agent(fresh("host"))])
    const taken = yield* http.sandboxes.run({ payload: { name: sandboxes[0]!.name, labels: {}, replace: false, spec: { command: ["true"], env: {}, binds: [] } } }).pipe(Effect.flip)
    assert.strictEqual(taken._tag, "SandboxExists")
    const replaced = yield* http.sandboxes.run({ payload: { name: sandboxes[0]!.name, agent: sandboxes[0]!.agent, labels: {}, replace: true, spec: { command: ["true"], env: {}, binds: [] } } })
    assert.notStrictEqual(replaced.id, sandboxes[0]!.id)
  }))

  it.effect("a peer that no longer answers is noticed within ten seconds", () => Effect.gen(function*() {
    const { agent } = yield* Server
    let asked = 0
    const deaf = yield* agent(fresh("host"), { overrides: { Inventory: () => asked++ === 0 ? Effect.succeed([]) : Effect.never } })
    assert.isTrue(Exit.isSuccess(yield* deaf.ended.pipe(Effect.timeout("10 seconds"))))
  }), 12_000)
})
