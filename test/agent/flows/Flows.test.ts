/** From what meshd tells to what the API answers, through whole agents and the real control plane. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Schedule, Scope } from "effect"
import { vi } from "vitest"
import { countOf } from "../../../src/domain/AliasMetrics.ts"
import type { FlowList } from "../../../src/domain/Flow.ts"
import { AliasName, NetworkName } from "../../../src/domain/DnsLabel.ts"
import { fakeMeshd } from "../../harness/fakeMeshd.ts"
import { meshdFlow } from "../../harness/sampleFlows.ts"
import { allow, type Api, world } from "../world.ts"

vi.setConfig({ testTimeout: 60_000 }) // a control plane with its database starts in each

type Query = Parameters<Api["networks"]["flows"]>[0]["query"]

/** The answer once it is as wanted: what meshd tells is heard a moment later. */
const until = (api: Api, wanted: (list: FlowList) => boolean, query: Query = {}) =>
  api.networks.flows({ params: { network: "dev" }, query }).pipe(Effect.repeat({ until: wanted, schedule: Schedule.spaced("20 millis") }), Effect.timeout("20 seconds"))

const flowsWorld = Effect.gen(function*() {
  const all = yield* world
  const { api, backend, one, two, web } = all
  const network = two.meshd.plan.networks[0]!.id
  const [alias] = yield* api.networks.aliases({ params: { network: "dev" } })
  const stream = { network, alias: alias!.id, source: web.id, rules: [], peer: "n-2", openedAt: Date.now() }
  const atSource = meshdFlow({ ...stream, id: "h1-1", stream: "h1-1", direction: "outbound", target: "n-2", connectMicros: 900 })
  const atTarget = meshdFlow({ ...stream, id: "h2-1", stream: "h1-1", direction: "inbound", target: backend.id, peer: "n-1", connectMicros: 200 })
  return { ...all, address: alias!.address, atSource, atTarget, tell: (host: typeof one, flow: object, more: object) => host.meshd.emit("flow", { ...flow, ...more }) }
})

describe("flows", () => {
  it.live("a stream between hosts is one flow, by the names of the network, open and ended", () => Effect.gen(function*() {
    const { api, backend, one, two, web, atSource, atTarget, tell } = yield* flowsWorld
    one.meshd.flows.push(atSource)
    two.meshd.flows.push(atTarget)
    const [open] = (yield* until(api, ({ flows }) => flows[0]?.seenBy.length === 2)).flows
    assert.deepInclude(open, {
      id: "h1-1", source: "sandbox:web", sourceId: web.id, alias: "api", port: 8080, target: "backend", targetId: backend.id,
      verdict: "allowed", path: "unknown", closedAt: null, end: null, connectMicros: 900
    })
    one.meshd.flows.length = two.meshd.flows.length = 0
    tell(one, atSource, { phase: "closed", end: "reset", by: "target" })
    tell(two, atTarget, { phase: "closed", end: "revoked" })
    const ended = yield* until(api, ({ flows }) => flows[0]?.closedAt !== null && flows[0]?.seenBy.length === 2)
    assert.deepInclude(ended.flows[0], { id: "h1-1", end: "revoked", by: null, bytesToTarget: 78, bytesToSource: 13_200 })
    assert.deepStrictEqual(ended.agents, [{ agent: "host-1", problem: null, lost: 0 }, { agent: "host-2", problem: null, lost: 0 }])

    const { agents, aliases } = yield* api.networks.metrics({ params: { network: "dev" } })
    assert.deepStrictEqual(agents.map(({ problem }) => problem), [null, null])
    assert.deepStrictEqual(aliases.map(({ alias, streams, connect }) => [alias, streams.reset, streams.revoked, countOf(connect)]), [["api", 1, 0, 1]], "counted once, as its source saw it")
    const text = yield* api.metrics.all()
    assert.include(text, `gstacks_streams_total{network="dev",alias="api",end="reset"} 1\n`)

    assert.lengthOf((yield* until(api, () => true, { source: "backend" })).flows, 0)
    assert.lengthOf((yield* until(api, () => true, { source: "web", alias: AliasName.make("api"), withinMs: 60_000 })).flows, 1)
  }))

  it.live("replay judges every recorded stream, however many, once for both its ends, and a dry run every open one", () => Effect.gen(function*() {
    const { api, one, two, atSource, atTarget, tell } = yield* flowsWorld
    const params = { network: NetworkName.make("dev") }, many = 1500
    for (let n = 0; n < many; n++) {
      tell(one, atSource, { id: `h1-${n}`, stream: `s-${n}`, phase: "closed", end: "eof" })
      tell(two, atTarget, { id: `h2-${n}`, stream: `s-${n}`, phase: "closed", end: "eof" })
    }
    const found = yield* api.policy.replay({ params, payload: { policy: { rules: [] } } }).pipe(
      Effect.repeat({ until: ({ judged }) => judged.flows >= many, schedule: Schedule.spaced("50 millis") }), Effect.timeout("30 seconds"))
    assert.deepStrictEqual([found.judged.flows, found.left, found.wouldRefuse.map(({ alias, count, source }) => [source, alias, count])], [many, { flows: 0, refusals: 0 }, [["sandbox:web", "api", many]]])

    yield* allow(api, "any")
    one.meshd.flows = Array.from({ length: many }, (_, n) => ({ ...atSource, id: `o-${n}` }))
    const { flows } = yield* api.policy.diff({ params, payload: { _tag: "Apply", policy: { rules: [] } } })
    assert.deepStrictEqual([flows.cut.map(({ count }) => count), flows.left], [[many], 0])
  }))

  it.live("what was refused is counted by pair; an agent that is away is named", () => Effect.gen(function*() {
    const { api, address, one, two, scopes, atTarget, web } = yield* flowsWorld
    one.meshd.refusals.push({ outbound: [{ sandbox: web.id, address, port: 8080, count: 2 }, { sandbox: web.id, address: "127.99.9.9", port: 1, count: 5 }], inbound: [] })
    two.meshd.refusals.push({ outbound: [], inbound: [{ network: atTarget.network, node: "n-1", source: web.id, alias: atTarget.alias, port: 8080, count: 1 }] })
    const { refusals } = yield* until(api, (list) => list.refusals.length === 2, { denied: "true" })
    assert.deepStrictEqual(refusals.map(({ source, alias, port, by, count }) => [source, alias, port, by, count]).sort(), [["sandbox:web", "api", 8080, "source", 2], ["sandbox:web", "api", 8080, "target", 1]])
    one.meshd.refusals.push({ outbound: [{ sandbox: web.id, address, port: 8080, count: 4 }], inbound: [] })
    const apart = yield* until(api, (list) => list.refusals.length === 3, { denied: "true", apart: "true" })
    assert.deepStrictEqual(apart.refusals.filter(({ by }) => by === "source").map(({ count }) => count), [2, 4], "as they were read, each attempt once")
    const sum = yield* until(api, () => true, { denied: "true", limit: 1 })
    assert.deepStrictEqual([sum.refusals.map(({ by, count }) => [by, count]), sum.cut], [[["source", 6]], { open: false, ended: false, refusals: true }])
    yield* Scope.close(scopes[1], Exit.void)
    const rest = yield* until(api, ({ agents }) => agents.some(({ problem }) => problem !== null), { denied: "true" })
    assert.match(rest.agents.find(({ agent }) => agent === "host-2")!.problem!, /host-2/)
    assert.lengthOf(rest.refusals, 1)
  }))

  it.live("a stream counts from its opening, as it goes on and to its end, and no counter falls; one that is older than the agent, by what it carries since", () => Effect.gen(function*() {
    const { api, two, scopes, atSource, tell, backend } = yield* flowsWorld
    const local = { ...atSource, source: backend.id, direction: "local" as const, target: backend.id }
    const carrying = (bytesToSource: number) => { two.meshd.flows = [{ ...local, bytesToSource }] }
    const counts = (wanted: readonly [opened: number, open: number, bytes: number, reset: number]) => api.networks.metrics({ params: { network: "dev" } }).pipe(
      Effect.map(({ aliases }) => aliases.map(({ opened, open, bytesToSource, streams }) => [opened, open, bytesToSource, streams.reset])),
      Effect.repeat({ until: ([found]) => JSON.stringify(found) === JSON.stringify(wanted), schedule: Schedule.spaced("20 millis") }), Effect.timeout("20 seconds"))

    tell(two, { ...local, bytesToSource: 0 }, { phase: "opened" })
    carrying(13_200)
    yield* counts([1, 1, 13_200, 0])
    const text = yield* api.metrics.all()
    for (const line of ["gstacks_opened_streams_total", "gstacks_open_streams"]) assert.include(text, `${line}{network="dev",alias="api"} 1\n`)
    carrying(20_000)
    yield* counts([1, 1, 20_000, 0])

    yield* Scope.close(scopes[1], Exit.void)
    yield* (yield* two.agent).online
    yield* counts([0, 1, 0, 0])
    carrying(20_700)
    yield* counts([0, 1, 700, 0])
    two.meshd.flows = []
    yield* counts([0, 0, 700, 0])
    tell(two, { ...local, bytesToSource: 20_900 }, { phase: "closed", end: "reset", by: "target" })
    yield* counts([0, 0, 900, 1])
  }))

  it.live("records outlive the agent; open streams of a meshd that ended are told as such, and what it could not tell is counted", () => Effect.gen(function*() {
    const { api, two, scopes, atSource, tell, backend } = yield* flowsWorld
    const local = { ...atSource, source: backend.id, direction: "local" as const, target: backend.id }
    tell(two, local, { phase: "opened" })
    tell(two, { ...local, id: "h2-2", stream: "h2-2" }, { phase: "closed", end: "eof" })
    two.meshd.emit("dropped", { count: 3 })
    two.meshd.flows.push(local)
    yield* until(api, ({ agents, flows }) => agents[1]?.lost === 3 && flows.some(({ id, closedAt }) => id === "h2-2" && closedAt !== null))
    yield* Effect.promise(() => two.meshd.crash())
    yield* fakeMeshd(two.meshd.path)
    const { flows } = yield* until(api, (list) => list.flows.length === 2 && list.flows.every(({ closedAt }) => closedAt !== null))
    assert.deepStrictEqual(flows.map(({ id, end }) => [id, end]).sort(), [["h1-1", "stopped"], ["h2-2", "eof"]])

    yield* Scope.close(scopes[1], Exit.void)
    yield* (yield* two.agent).online
    assert.lengthOf((yield* until(api, (list) => list.flows.length === 2)).flows, 2)
  }))
})
