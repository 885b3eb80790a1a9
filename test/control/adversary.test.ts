/** Who does not play by the rules: agents that lie or fall over, requests that no client of ours would send, races that a debugger would not show. */
import { assert, describe, it, layer } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Option, Schema, SubscriptionRef } from "effect"
import { SqlClient } from "effect/sql"
import * as Authentication from "../../src/control/AgentGateway/Authentication.ts"
import { Agents } from "../../src/control/Agents.ts"
import { CommitTimes } from "../../src/control/CommitTimes.ts"
import { Mesh } from "../../src/control/Mesh.ts"
import { MeshNodes } from "../../src/control/MeshNodes.ts"
import { Networks } from "../../src/control/Networks.ts"
import { Sandboxes } from "../../src/control/Sandboxes.ts"
import { Snapshots } from "../../src/control/Snapshots.ts"
import { Topologies } from "../../src/control/Topologies.ts"
import { NetworkName, SandboxName } from "../../src/domain/DnsLabel.ts"
import { AgentId, NetworkId } from "../../src/domain/Ids.ts"
import { StoreUnavailable } from "../../src/domain/Problems.ts"
import { Topology } from "../../src/domain/Topology.ts"
import { onBothDatabases } from "./databases.ts"
import { connect, fresh, network as freshNetwork } from "./fixture.ts"
import { controlPlane, serve, temporaryFolder } from "./server.ts"

class Server extends Context.Service<Server, Effect.Success<ReturnType<typeof serve>>>()("test/AdversaryServer") {}
const server = Layer.unwrap(Effect.gen(function*() {
  const folder = yield* temporaryFolder
  return Layer.provideMerge(Layer.effect(Server, serve(folder)), controlPlane(folder))
}))

/** A network with one member, hosted by `host`. */
const memberOn = Effect.fnUntraced(function*(host: { readonly name: string }) {
  const { api } = yield* Server
  const network = NetworkName.make(fresh("lies"))
  yield* api.networks.create({ payload: { name: network } })
  const box = yield* api.sandboxes.run({
    payload: { name: SandboxName.make(fresh("box")), agent: host.name, labels: {}, replace: false, spec: { command: ["true"], env: {}, binds: [] } }
  })
  const { change } = yield* api.networks.attach({ params: { network }, payload: { sandbox: box.name, ports: [] } })
  const receipt = (version: number, timeoutMs: number) => api.networks.receipt({ params: { network, version }, query: { timeoutMs } })
  return { network, box, change, receipt }
})

layer(server, { timeout: "2 minutes", excludeTestServices: true })("agents that lie", (it) => {
  it.effect("an acknowledgement counts only for what was sent", () => Effect.gen(function*() {
    const { agent } = yield* Server
    const liar = yield* agent(fresh("host"), {
      overrides: { ApplyTopology: ({ update }) => Effect.succeed({ networkId: update._tag === "Snapshot" ? update.topology.networkId : update.delta.networkId, version: 2 ** 31 + 7, micros: 1 }) }
    })
    const { change, receipt } = yield* memberOn(liar)
    const answer = yield* receipt(change.version, 300)
    assert.strictEqual(answer.applied, 0)
    assert.include(answer.pending[0]!.reason, "never sent")
  }))

  it.effect("an older version than the one that was sent is no acknowledgement: it is asked again", () => Effect.gen(function*() {
    const { agent } = yield* Server
    let calls = 0
    const slow = yield* agent(fresh("host"), {
      overrides: {
        ApplyTopology: ({ update }) => {
          const { networkId, version } = update._tag === "Snapshot" ? update.topology : update.delta
          return Effect.succeed({ networkId, version: calls++ === 0 ? version - 1 : version, micros: 1 })
        }
      }
    })
    const { change, receipt } = yield* memberOn(slow)
    assert.strictEqual((yield* receipt(change.version, 5000)).applied, 1)
  }))

  it.effect("a call that the agent falls over is its problem, and said so", () => Effect.gen(function*() {
    const { agent, api } = yield* Server
    const broken = yield* agent(fresh("host"), { overrides: { SandboxLogs: () => Effect.die("boom") } })
    const { box } = yield* memberOn(broken)
    assert.strictEqual((yield* api.sandboxes.logs({ params: { sandbox: box.name } }).pipe(Effect.flip))._tag, "AgentUnavailable")
  }))
})

layer(server, { timeout: "2 minutes", excludeTestServices: true })("requests that nobody should send", (it) => {
  const call = Effect.fnUntraced(function*(path: string, init: RequestInit = {}) {
    const { token, url } = yield* Server
    const answer = yield* Effect.promise(() => fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}`, "content-type": "application/json" }, ...init }))
    return { status: answer.status, type: answer.headers.get("content-type"), text: yield* Effect.promise(() => answer.text()) }
  })

  it.effect("a body that is too large is refused, also where nobody has to log in", () => Effect.gen(function*() {
    for (const path of ["/api/v1/enrolments", "/api/v1/networks"]) {
      const { status, type } = yield* call(path, { method: "POST", body: JSON.stringify({ token: "x".repeat(5 << 20), name: "host" }) })
      assert.deepStrictEqual([status, type], [413, "application/problem+json"])
    }
  }))

  it.effect("numbers out of range are bad requests", () => Effect.gen(function*() {
    const { api } = yield* Server
    yield* api.networks.create({ payload: { name: NetworkName.make("numbers") } })
    for (const path of ["receipts/1?timeoutMs=NaN", "receipts/1?timeoutMs=Infinity", "receipts/NaN", "receipts/1.5", "receipts/-1"]) {
      assert.strictEqual((yield* call(`/api/v1/networks/numbers/${path}`)).status, 400, path)
    }
    for (const ttlSeconds of [1e15, -5]) {
      assert.strictEqual((yield* call("/api/v1/tokens", { method: "POST", body: JSON.stringify({ kind: "user", name: "x", ttlSeconds }) })).status, 400, String(ttlSeconds))
    }
  }))

  it.effect("a zero byte, which no text column takes, is the caller's mistake", () => Effect.gen(function*() {
    const { agent, api } = yield* Server
    const host = yield* agent(fresh("host"))
    yield* api.networks.create({ payload: { name: NetworkName.make("zero") } })
    assert.strictEqual((yield* call("/api/v1/networks/%00")).status, 400)
    assert.strictEqual((yield* call("/api/v1/networks/zero/attachments", { method: "POST", body: JSON.stringify({ sandbox: "a\0b", ports: [] }) })).status, 400)
    const run = yield* call("/api/v1/sandboxes", {
      method: "POST", body: JSON.stringify({ name: "zero", agent: host.name, labels: {}, replace: false, spec: { command: ["echo", "a\0b"], env: {}, binds: [] } })
    })
    assert.strictEqual(run.status, 400)
    assert.strictEqual((yield* call("/api/v1/tokens", { method: "POST", body: JSON.stringify({ kind: "user", name: "a\0b" }) })).status, 400)
  }))

  it.effect("as many ports as there are fit in one statement", () => Effect.gen(function*() {
    const { agent } = yield* Server
    const { network, box } = yield* memberOn(yield* agent(fresh("host")))
    const ports = Array.from({ length: 65_535 }, (_, i) => i + 1)
    const answer = yield* call(`/api/v1/networks/${network}/aliases`, { method: "POST", body: JSON.stringify({ sandbox: box.name, alias: "many", ports }) })
    assert.strictEqual(answer.status, 201)
  }))
})

onBothDatabases("races", (it) => {
  it.effect("a sandbox cannot start on an agent that is being removed", () => Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const agent = yield* connect()
    const removed = yield* Deferred.make<void>(), go = yield* Deferred.make<void>()
    const removal = yield* sql.withTransaction(Effect.gen(function*() {
      yield* sql`delete from agents where id = ${agent.id}`
      yield* Deferred.succeed(removed, undefined)
      yield* Deferred.await(go)
    })).pipe(Effect.forkChild)
    yield* Deferred.await(removed)
    const run = yield* (yield* Sandboxes).run({
      name: SandboxName.make(fresh("box")), agent: agent.name, labels: {}, replace: false, spec: { command: ["true"], env: {}, binds: [] }
    }).pipe(Effect.flip, Effect.forkChild)
    yield* Effect.sleep("200 millis")
    yield* Deferred.succeed(go, undefined)
    yield* Fiber.join(removal)
    assert.strictEqual((yield* Fiber.join(run))._tag, "AgentNotFound")
  }))

  it.effect("keys that no node was made with are forgotten once they have expired", () => Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const mesh = yield* Mesh, nodes = yield* MeshNodes
    const agent = yield* connect()
    const network = (yield* (yield* Networks).create(freshNetwork(), "agent_proxy")).value.id
    for (const [id, age] of [["1", "2 hours"], ["2", "2 hours"], ["3", "1 second"]] as const) {
      yield* sql`insert into mesh_keys (id, network_id, agent_id, minted_at) values (${id}, ${network}, ${agent.id}, now() - ${age}::interval)`
    }
    const done = yield* Deferred.make<void>()
    yield* SubscriptionRef.set(mesh.current, Option.some({
      answers: Effect.void,
      createPreAuthKey: () => Effect.die("not asked"), deleteNode: () => Effect.void, setPolicy: () => Effect.asVoid(Deferred.succeed(done, undefined)),
      nodes: Effect.succeed([{ id: "7", givenName: "n", name: "n", ipAddresses: [], preAuthKey: { id: "2" }, tags: [] }])
    }))
    yield* nodes.request
    yield* Deferred.await(done)
    assert.deepStrictEqual((yield* sql`select id from mesh_keys where network_id = ${network} order by id`).map((row) => row["id"]), ["2", "3"])
    yield* SubscriptionRef.set(mesh.current, Option.none())
  }))
})

describe("memory and caches", () => {
  it.effect("a database that was away for a moment does not disown an agent", () => Effect.gen(function*() {
    const known = { id: AgentId.make("agt_000000000000000001"), name: "host" }
    let calls = 0
    const agents = Layer.succeed(Agents, {
      authenticate: () => calls++ === 0 ? new StoreUnavailable({ detail: "away", hint: "" }) : Effect.succeedSome(known)
    } as never)
    yield* Effect.gen(function*() {
      const credentials = yield* Authentication.Credentials
      const headers = { authorization: "Bearer gsa_x" } as never
      assert.isTrue(Exit.isFailure(yield* Effect.exit(credentials.check(headers))))
      assert.isTrue(Option.isSome(yield* credentials.check(headers)))
    }).pipe(Effect.provide(Layer.provide(Authentication.Credentials.layer, agents)))
  }))

  it.effect("a topology that was read before its network was removed does not come back", () => Effect.gen(function*() {
    const id = NetworkId.make("net_000000000000000001")
    const old: Topology = Schema.decodeSync(Topology)({ networkId: id, name: "dev", version: 3, aliases: [], members: [], agents: [], rules: [], localNodes: [] })
    const gate = yield* Deferred.make<void>()
    let loads = 0
    const topologies = Layer.succeed(Topologies, {
      load: () => loads++ === 0 ? Effect.as(Deferred.await(gate), Option.some(old)) : Effect.succeedNone
    } as never)
    yield* Effect.gen(function*() {
      const snapshots = yield* Snapshots
      const early = yield* Effect.forkChild(snapshots.latest(id))
      yield* Effect.yieldNow
      assert.isTrue(Option.isNone(yield* snapshots.refresh(id)))
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(early)
      assert.isTrue(Option.isNone(yield* snapshots.latest(id)))
    }).pipe(Effect.provide(Layer.provide(Snapshots.layer, topologies)))
  }))

  it("commit times of networks that come and go do not add up", () => {
    const times = new CommitTimes()
    const id = (n: number) => `net_${n}` as NetworkId
    for (let n = 0; n < 5000; n++) times.committed(id(n), 1, n)
    times.applied(id(0), 1, "agt_1" as AgentId, 9000)
    times.applied(id(4999), 1, "agt_1" as AgentId, 9000)
    assert.deepStrictEqual([times.elapsedMs(id(0), 1), times.elapsedMs(id(4999), 1)], [null, 4001])
  })

  it("a clock that is set back does not make an acknowledgement precede its commit", () => {
    const times = new CommitTimes()
    times.committed("net_1" as NetworkId, 1, 10_000)
    times.applied("net_1" as NetworkId, 1, "agt_1" as AgentId, 4000)
    assert.strictEqual(times.elapsedMs("net_1" as NetworkId, 1), 0)
  })
})
