/** What agents over real WebSockets are sent of a network's versions, and what receipts say. */
import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { SqlClient } from "effect/sql"
import { asPrincipal, Changes } from "../../src/control/Changes.ts"
import type { AgentId } from "../../src/domain/Ids.ts"
import type { Topology } from "../../src/domain/Topology.ts"
import { NotApplied } from "../../src/protocol/agent/AgentRpcs.ts"
import { fakeAgent, type FakeAgentHandlers } from "../harness/fakeAgent.ts"
import { api, fresh, port, scene, Server, server } from "./agentsScene.ts"

layer(server, { timeout: "2 minutes", excludeTestServices: true })("rollouts", (it) => {
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

  it.effect("a receipt counts each closed connection once, whichever of its ends closed it, and only where its version did", () => Effect.gen(function*() {
    const { agent, api: http } = yield* Server
    const closing = new Map<AgentId, { readonly asSource: ReadonlyArray<string>; readonly asTarget: ReadonlyArray<string> }>()
    const host = (agentId: () => AgentId) => agent(fresh("host"), { overrides: {
      ApplyTopology: ({ update }) => Effect.sync(() => {
        const { networkId, version } = update._tag === "Snapshot" ? update.topology : update.delta
        const closed = closing.get(agentId())
        closing.delete(agentId())
        return { networkId, version, micros: 2000, ...(closed === undefined ? {} : { closed: { ...closed, lastMs: 1 } }) }
      })
    } })
    const a: { readonly name: string; readonly agentId: AgentId } = yield* host(() => a.agentId)
    const b: { readonly name: string; readonly agentId: AgentId } = yield* host(() => b.agentId)
    const { network, attach, receipt } = yield* scene([a, b])
    yield* attach(0)
    yield* attach(1, api)
    const allow = () => http.networks.allow({ params: { network }, payload: { from: "any", to: api, port } })
    const first = yield* allow()
    assert.deepStrictEqual((yield* receipt(first.change.version)).closed, { connections: 0, lastByteMs: null, agents: [] })

    closing.set(a.agentId, { asSource: ["s-1", "s-2"], asTarget: [] }).set(b.agentId, { asSource: ["t-1"], asTarget: ["s-2", "s-3"] })
    const { change } = yield* http.networks.revoke({ params: { network, rule: first.value.id } })
    const { closed, elapsedMs } = yield* receipt(change.version)
    assert.deepStrictEqual([closed!.connections, closed!.agents], [4, [
      { agent: a.name, asSource: 2, asTarget: 0 }, { agent: b.name, asSource: 1, asTarget: 2 }] as never])
    assert.isAtMost(closed!.lastByteMs!, elapsedMs!, "the acknowledgement tells how long before it the last stream ended")

    const later = yield* allow()
    assert.strictEqual((yield* receipt(later.change.version)).closed!.connections, 0)
    assert.strictEqual((yield* receipt(change.version)).closed!.connections, 4)
    const audit = yield* (yield* SqlClient.SqlClient)`select actor, detail from audit_log where action = 'connections.close' and version = ${change.version} order by id`
    assert.sameDeepMembers([...audit], [
      { actor: `agent ${a.name}`, detail: { agent: a.name, asSource: 2, asTarget: 0 } }, { actor: `agent ${b.name}`, detail: { agent: b.name, asSource: 1, asTarget: 2 } }])
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

  it.effect("an agent is told which of its answers is stored, so that it tells again what a lost one said", () => Effect.gen(function*() {
    const { agent, api: http, url } = yield* Server
    const asked: Array<readonly [version: number, acknowledged: number | undefined]> = []
    const ApplyTopology: FakeAgentHandlers["ApplyTopology"] = ({ acknowledged, update }) => Effect.suspend(() => {
      const { networkId, version } = update._tag === "Snapshot" ? update.topology : update.delta
      asked.push([version, acknowledged])
      return asked.length === 1 ? Effect.fail(new NotApplied({ networkId, version, reason: "meshd is away" })) : Effect.succeed({ networkId, version, micros: 1 })
    })
    const a = yield* agent(fresh("host"), { overrides: { ApplyTopology } })
    const { network, attach, receipt } = yield* scene([a])
    const { change: { version: first } } = yield* attach(0, api)
    assert.deepStrictEqual((yield* receipt(first)).pending, [])
    assert.deepStrictEqual(asked.map(([version]) => version), [first, first])
    assert.isBelow(asked[1]![1] ?? 0, first)
    const { change: { version: second } } = yield* http.networks.allow({ params: { network }, payload: { from: "local", to: api, port } })
    assert.deepStrictEqual((yield* receipt(second)).pending, [])
    assert.deepStrictEqual(asked.at(-1), [second, first])
    yield* a.disconnect
    const { change: { version: third } } = yield* http.networks.allow({ params: { network }, payload: { from: "any", to: api, port } })
    yield* fakeAgent({ url, credential: a.credential, overrides: { ApplyTopology } })
    assert.deepStrictEqual((yield* receipt(third)).pending, [])
    assert.deepStrictEqual(asked.at(-1), [third, second])
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
})
