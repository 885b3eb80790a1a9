/** What is said of a join, whatever state meshd, the control plane and the join's time are in. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule, Stream } from "effect"
import { AliasName, Port } from "../../src/domain/DnsLabel.ts"
import { type Seen, shown } from "../../src/local/Joins/shown.ts"
import { world } from "./world.ts"

const patienceMs = 60_000
const soonExpires = new Date(2_000).toISOString()
const seen = (more: Partial<Seen>): Seen => ({ network: "dev", at: "member.joined", expiresAt: soonExpires, now: 1_000, trouble: null, next: null, hung: undefined, ...more })
const of = (more: Partial<Seen>) => Object.values(shown(seen(more))).join(" | ")

const forward = { network: "dev", alias: AliasName.make("api"), port: Port.make(8080), listen: "127.0.0.1:18080", guard: null, keep: true }

describe("mesh status", () => {
  it("tells joining, joined, degraded, expired and revoked apart, and what to do", () => {
    assert.deepStrictEqual(shown(seen({})), { state: "joined", reason: null, next: null })
    assert.strictEqual(of({ at: "requesting", expiresAt: null }), "joining |  | it is tried again by itself")
    assert.strictEqual(of({ at: "member.degraded", trouble: "no host" }), "degraded | no host | it is tried again by itself")
    assert.match(of({ hung: { pid: 7 } }), /^degraded \| meshd does not answer \| .*kill -9 7/)
    assert.match(of({ hung: { pid: 7 }, now: 2_000 }), /^expired/)
    assert.match(of({ at: "member.degraded", trouble: "no control", now: 2_000 }), /^expired \| its time is over.*: no control \| .*by itself/)
    assert.match(of({ at: "waiting", trouble: "it slept", now: 2_000 }), /^expired/)
    assert.strictEqual(of({ at: "revoked", trouble: "by an admin", now: 2_000 }), "revoked | by an admin | gstacks mesh join dev")
    assert.strictEqual(of({ at: "revoked", trouble: "by an admin", next: "ask" }), "revoked | by an admin | ask")
  })

  it.live("answers in time with a meshd that hangs, and says so", () => Effect.gen(function*() {
    const { client, join, meshd } = yield* world
    for (const name of ["dev", "stage", "test"]) {
      const { networkId } = yield* join("ann's", name)
      meshd.setNode({ network: networkId!, state: "ready", nodeId: "n-1", address: "100.64.0.9", transport: "netstack", udpPort: 0, peers: [{ nodeId: "n-host-1", address: "100.64.0.1", path: "direct", rxBytes: 0, txBytes: 0 } as never] })
    }
    meshd.mute = true
    const { networks } = yield* client.status
    assert.deepStrictEqual(networks.map(({ network, state }) => `${network} ${state}`), ["dev degraded", "stage degraded", "test degraded"])
    assert.deepInclude(networks[0], { reason: "meshd does not answer", next: `if it stays so: kill -9 ${process.pid}, and another meshd is started by itself` })
    meshd.mute = false
    assert.deepStrictEqual((yield* client.status).networks.map(({ state }) => state), ["joined", "joined", "joined"])
  }), patienceMs)

  it.live("a join whose time is over is expired, and its forwards are closed, until it is renewed", () => Effect.gen(function*() {
    const { client, control, join, meshd, until } = yield* world
    const isAt = (state: string) => Effect.repeat(Effect.map(client.status, ({ forwards: [one] }) => one), { until: (one) => one?.state === state, schedule: Schedule.spaced("10 millis") }).pipe(Effect.timeout("20 seconds"))
    yield* join()
    yield* Stream.runDrain(client.forward(forward))
    assert.deepStrictEqual([...meshd.listeners.keys()], ["dev/api:8080/1"])
    control.joins[0]!.expiresAt = Date.now() - 1
    control.version++
    assert.include((yield* until("expired"))?.reason, "its time is over")
    assert.include((yield* isAt("denied"))?.reason, "the join has expired")
    assert.deepStrictEqual([...meshd.listeners.keys()], [])
    const refused = yield* Effect.flip(Stream.runDrain(client.forward({ ...forward, listen: "127.0.0.1:18081" })))
    assert.match(refused.problem.type, /expired$/)
    assert.include(refused.problem.detail, "the join of dev has expired")
    control.joins[0]!.expiresAt = Date.now() + 3_600_000
    control.version++
    yield* until("joined")
    yield* isAt("listening")
    assert.deepStrictEqual([...meshd.listeners.keys()], ["dev/api:8080/1"])
  }), patienceMs)

  it.live("a forward ends with the join's time, though nobody tells", () => Effect.gen(function*() {
    const { client, control, join, meshd, until } = yield* world
    control.lifetimeMs = 3_000
    yield* join()
    yield* Stream.runDrain(client.forward(forward))
    control.away = true
    yield* until("expired")
    yield* Effect.repeat(Effect.sync(() => meshd.listeners.size), { until: (size) => size === 0, schedule: Schedule.spaced("10 millis") }).pipe(Effect.timeout("20 seconds"))
  }), patienceMs)
})
