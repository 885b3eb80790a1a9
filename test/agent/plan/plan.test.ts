import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { emptyPlan, makePlan, type PlanInput } from "../../../src/agent/plan/plan.ts"
import { diffPlans, isEmpty, patchPlan } from "../../../src/agent/plan/planDiff.ts"
import { AgentId, SandboxId } from "../../../src/domain/Ids.ts"
import { rulesFor } from "../../../src/domain/Policy.ts"
import type { Topology } from "../../../src/domain/Topology.ts"
import { Plan } from "../../../src/protocol/meshd/Messages.ts"
import { Draft, topologyOf } from "../../domain/topologies.ts"

const id = (prefix: string, n: number) => `${prefix}_${String(n).padStart(18, "0")}`
const here = AgentId.make(id("agt", 0))
const bits = (count: number) => Schema.Array(Schema.Boolean).check(Schema.isMinLength(count), Schema.isMaxLength(count))

/** A topology, which of its five sandboxes run here, which of its three agents have joined, and whether it is stale. */
const Case = Schema.Struct({ draft: Draft, running: bits(5), joined: bits(3), stale: Schema.Boolean })
const inputOf = ({ draft, running, joined, stale }: typeof Case.Type): PlanInput => {
  const topology = topologyOf(draft)
  const agents = topology.agents.map((agent) => ({ ...agent, node: joined[Number(agent.id.slice(-1))] ? { id: `n-${agent.id}`, address: "100.64.0.1" } : null }))
  return {
    agentId: here, networks: [{ topology: { ...topology, agents }, stale }],
    sandboxes: topology.members.filter((m) => m.agentId === here && running[Number(m.id.slice(-1))]).map((m, i) => ({ id: m.id, pid: 100 + i, startTime: 7 }))
  }
}

/** The rules in prose: which permits this agent must have, as "source alias port -> where". */
const oracle = ({ networks, sandboxes }: PlanInput) => {
  const outbound = new Set<string>(), inbound = new Set<string>()
  for (const { topology: t } of networks) for (const m of t.members) for (const a of t.aliases) for (const port of a.ports) {
    if (rulesFor(t, m.id, a.id, port).length === 0) continue
    const nodeOf = (agent: string) => t.agents.find((x) => x.id === agent)?.node?.id
    const runsHere = sandboxes.some((s) => s.id === m.id)
    if (runsHere && a.agentId === here) outbound.add(`${m.id} ${a.address}:${port} sandbox ${a.sandboxId}`)
    if (runsHere && a.agentId !== here && nodeOf(a.agentId)) outbound.add(`${m.id} ${a.address}:${port} node ${nodeOf(a.agentId)}`)
    if (m.agentId !== here && a.agentId === here && nodeOf(m.agentId)) inbound.add(`${nodeOf(m.agentId)} ${m.id} ${a.id}:${port} ${a.sandboxId}`)
  }
  return { outbound, inbound }
}

describe("plan", () => {
  it.prop("permits exactly what the oracle says", [Case], ([draft]) => {
    const input = inputOf(draft)
    const plan = makePlan(input)
    const expected = oracle(input)
    assert.deepStrictEqual(new Set(plan.outbound.map((o) => `${o.sandbox} ${o.address}:${o.port} ${o.target.kind} ${o.target.kind === "node" ? o.target.node : o.target.sandbox}`)), expected.outbound)
    assert.deepStrictEqual(new Set(plan.inbound.map((i) => `${i.node} ${i.source} ${i.alias}:${i.port} ${i.sandbox}`)), expected.inbound)
    assert.strictEqual(new Set([...plan.outbound, ...plan.inbound].map((permit) => permit.id)).size, plan.outbound.length + plan.inbound.length)
    for (const permit of [...plan.outbound, ...plan.inbound]) assert.strictEqual(permit.frozen === true, draft.stale)
    for (const sandbox of plan.sandboxes) assert.isTrue(plan.zones.some((zone) => zone.id === sandbox.zone))
  }, { arbitrary: { runs: 500 } })

  it.prop("a delta takes one plan to the other, and says nothing of what is the same", [Case, Case], ([a, b]) => {
    const before = makePlan(inputOf(a)), after = makePlan(inputOf(b))
    const sorted = (plan: Plan) => Object.fromEntries(Object.entries(plan).map(([key, items]) =>
      [key, [...items as ReadonlyArray<{ id: string }>].sort((x, y) => (x.id < y.id ? -1 : 1))]))
    assert.deepStrictEqual(sorted(patchPlan(before, diffPlans(before, after))), sorted(after))
    assert.isTrue(isEmpty(diffPlans(after, makePlan(inputOf(b)))))
    assert.isTrue(isEmpty(diffPlans(emptyPlan, makePlan({ agentId: here, networks: [], sandboxes: [] }))))
  }, { arbitrary: { runs: 300 } })

  it("is what the schema says", () => {
    const plan = makePlan(inputOf({ draft: sample, running: [true, true, true, true, true], joined: [true, true, true], stale: false }))
    assert.deepStrictEqual(Schema.decodeUnknownSync(Plan)(JSON.parse(JSON.stringify(plan))), plan)
    assert.strictEqual(plan.outbound[0]!.id, `o/${id("sbx", 0)}/127.64.1.0:80`)
    assert.strictEqual(plan.inbound[0]!.id, `i/${id("net", 1)}/n-${id("agt", 1)}/${id("sbx", 1)}/${id("als", 0)}:80`)
  })

  it("shares a zone between sandboxes of the same networks only, and gives a lone one an empty zone", () => {
    const topology = topologyOf(sample)
    const other: Topology = { ...topology, networkId: id("net", 2) as Topology["networkId"], members: topology.members.filter((m) => m.id === id("sbx", 0)), aliases: [] }
    const plan = makePlan({
      agentId: here, networks: [{ topology, stale: false }, { topology: other, stale: false }],
      sandboxes: [0, 2, 3, 4].map((n) => ({ id: SandboxId.make(id("sbx", n)), pid: n, startTime: 1 }))
    })
    const zones = plan.sandboxes.map((sandbox) => sandbox.zone)
    assert.deepStrictEqual(zones, [`z/${id("net", 1)}+${id("net", 2)}`, `z/${id("net", 1)}`, `z/${id("net", 1)}`, "z/"])
    assert.deepStrictEqual(Object.keys(plan.zones.find((zone) => zone.id === "z/")!.names), ["gstacks", "127.in-addr.arpa"])
  })
})

const sample: Draft = {
  version: 3,
  members: [{ sandbox: 0, agent: 0, team: "red" }, { sandbox: 1, agent: 1, team: "red" }, { sandbox: 2, agent: 0, team: "blue" }, { sandbox: 3, agent: 0, team: "blue" }],
  aliases: [{ alias: 0, sandbox: 0, ports: [80] }],
  rules: [{ rule: 0, alias: 0, port: 80, kind: "Any", sandbox: 0, sourceAlias: 0, team: "red" }]
}
