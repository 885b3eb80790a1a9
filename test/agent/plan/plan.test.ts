import { assert, describe, it } from "@effect/vitest"
import { Option, Schema } from "effect"
import { emptyPlan, makePlan as makePlanned, type PlanInput } from "../../../src/agent/plan/plan.ts"
import { diffPlans, isEmpty, patchPlan } from "../../../src/agent/plan/planDiff.ts"
import { AgentId, SandboxId } from "../../../src/domain/Ids.ts"
import { rulesFor, rulesForLocal } from "../../../src/domain/Policy.ts"
import { diff, patch, type Topology } from "../../../src/domain/Topology.ts"
import { Plan } from "../../../src/protocol/meshd/Messages.ts"
import { Draft, topologyOf } from "../../domain/topologies.ts"

const id = (prefix: string, n: number) => `${prefix}_${String(n).padStart(18, "0")}`
const here = AgentId.make(id("agt", 0))
const bits = (count: number) => Schema.Array(Schema.Boolean).check(Schema.isMinLength(count), Schema.isMaxLength(count))

/** A topology, which of its five sandboxes run here, which of its three agents have joined, and whether it is stale. */
const Case = Schema.Struct({ draft: Draft, running: bits(5), joined: bits(3), stale: Schema.Boolean })
const inputOf = ({ draft, running, joined, stale }: typeof Case.Type): PlanInput => {
  const topology = topologyOf(draft)
  return {
    agentId: here, topologies: [{ ...topology, agents: nodesOf(topology.agents, joined) }], stale,
    sandboxes: topology.members.filter((m) => m.agentId === here && running[Number(m.id.slice(-1))]).map((m, i) => ({ id: m.id, pid: 100 + i, startTime: 7 }))
  }
}

const makePlan = (input: PlanInput): Plan => makePlanned(input).plan

/** The rules in prose: which permits this agent must have, as "source alias port -> where". */
const oracle = ({ topologies, sandboxes }: PlanInput) => {
  const outbound = new Set<string>(), inbound = new Set<string>()
  for (const t of topologies) for (const m of t.members) for (const a of t.aliases) for (const port of a.ports) {
    if (rulesFor(t, m.id, a.id, port, -Infinity).length === 0) continue
    const nodeOf = (agent: string | undefined) => t.agents.find((x) => x.id === agent)?.node?.id
    const runsHere = sandboxes.some((s) => s.id === m.id)
    const machine = a.local && t.localNodes.find((x) => x.id === a.local!.nodeId)
    if (runsHere && machine) outbound.add(`${m.id} ${a.address}:${port} node ${machine.nodeId}`)
    if (runsHere && a.agentId === here) outbound.add(`${m.id} ${a.address}:${port} sandbox ${a.sandboxId}`)
    if (runsHere && a.agentId !== here && nodeOf(a.agentId)) outbound.add(`${m.id} ${a.address}:${port} node ${nodeOf(a.agentId)}`)
    if (m.agentId !== here && a.agentId === here && nodeOf(m.agentId)) inbound.add(`${nodeOf(m.agentId)} ${m.id} ${a.id}:${port} ${a.sandboxId}`)
  }
  for (const t of topologies) for (const l of t.localNodes) for (const a of t.aliases) for (const port of a.ports) {
    if (a.agentId === here && rulesForLocal(t, a.id, port, -Infinity, l.user).length > 0) inbound.add(`${l.nodeId} ${l.id} ${a.id}:${port} ${a.sandboxId}`)
  }
  return { outbound, inbound }
}

const sorted = (plan: Plan) => Object.fromEntries(Object.entries(plan).map(([key, items]) =>
  [key, [...items as ReadonlyArray<{ id: string }>].sort((x, y) => (x.id < y.id ? -1 : 1))]))

const nodesOf = (agents: Topology["agents"], joined: ReadonlyArray<boolean>): Topology["agents"] =>
  agents.map((agent) => ({ ...agent, node: joined[Number(agent.id.slice(-1))] ? { id: `n-${agent.id}`, address: "100.64.0.1" } : null }))

/** A delta of the topology, as they come from the control plane, or a change on this host. */
const Step = Schema.Struct({ to: Draft, part: Schema.Literals(["all", "aliases", "rules", "members", "nodes", "locals", "move", "running", "stale"]), bits: bits(5) })
const nextInput = (input: PlanInput, { to, part, bits }: typeof Step.Type): PlanInput => {
  const before = input.topologies[0]!
  if (part === "stale") return { ...input, stale: !input.stale }
  if (part === "running") return { ...input, sandboxes: before.members.filter((m) => m.agentId === here && bits[Number(m.id.slice(-1))]).map((m, i) => ({ id: m.id, pid: 100 + i, startTime: 7 })) }
  const target = topologyOf(to)
  const changes = {
    all: target, aliases: { aliases: target.aliases }, rules: { rules: target.rules }, members: { members: target.members },
    locals: { localNodes: target.localNodes },
    nodes: { agents: nodesOf(before.agents, bits) },
    move: { aliases: before.aliases.map((alias, i) => bits[i] ? { ...alias, sandboxId: SandboxId.make(id("sbx", i)) } : alias) }
  }[part]
  return { ...input, topologies: [Option.getOrThrow(patch(before, diff(before, { ...before, ...changes, version: before.version + 1 })))] }
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
    assert.deepStrictEqual(sorted(patchPlan(before, diffPlans(before, after))), sorted(after))
    assert.isTrue(isEmpty(diffPlans(after, makePlan(inputOf(b)))))
    assert.isTrue(isEmpty(diffPlans(emptyPlan, makePlan({ agentId: here, topologies: [], sandboxes: [], stale: false }))))
  }, { arbitrary: { runs: 300 } })

  it.prop("is the same whether it was computed anew or from what was planned before", [Case, Schema.Array(Step)], ([start, steps]) => {
    let input = inputOf(start)
    let planned = makePlanned(input)
    for (const step of steps) {
      input = nextInput(input, step)
      const known = planned
      planned = makePlanned(input, known)
      assert.deepStrictEqual(planned, makePlanned(input))
      assert.deepStrictEqual(sorted(patchPlan(known.plan, diffPlans(known.plan, planned.plan))), sorted(planned.plan))
    }
  }, { arbitrary: { runs: 300 } })

  it("an alias that moves, or goes, takes along what rules allow it as a source", () => {
    const rule = { rule: 0, alias: 0, port: 80, kind: "Alias", sandbox: 0, sourceAlias: 1, team: "red" } as const
    const withSource = (aliases: Draft["aliases"]) => inputOf({ draft: { ...sample, aliases: [...sample.aliases, ...aliases], rules: [rule] }, running: [true, true, true, true, true], joined: [true, true, true], stale: false })
    const input = withSource([{ alias: 1, sandbox: 2, ports: [81] }]), before = makePlanned(input)
    const sourcesAfter = (aliases: Draft["aliases"]) => {
      const delta = diff(input.topologies[0]!, withSource(aliases).topologies[0]!)
      return makePlanned({ ...input, topologies: [Option.getOrThrow(patch(input.topologies[0]!, delta))] }, before).plan.outbound.map((permit) => `${permit.sandbox}`)
    }
    assert.deepStrictEqual(before.plan.outbound.map((permit) => `${permit.sandbox}`), [id("sbx", 2)])
    assert.deepStrictEqual(sourcesAfter([{ alias: 1, sandbox: 3, ports: [81] }]), [id("sbx", 3)])
    assert.deepStrictEqual(sourcesAfter([]), [])
  })

  it("takes over the permits and zones that a change leaves alone", () => {
    const input = inputOf({ draft: { ...sample, aliases: [...sample.aliases, { alias: 1, sandbox: 2, ports: [81] }] }, running: [true, true, true, true, true], joined: [true, true, true], stale: false })
    const before = makePlanned(input)
    const rule = { id: id("rul", 1), source: { _tag: "Any" }, aliasId: id("als", 1), port: 81 } as Topology["rules"][number]
    const delta = { upsert: [rule], remove: [] }, same = { upsert: [], remove: [] }
    const [topology] = input.topologies
    const after = makePlanned({ ...input, topologies: [Option.getOrThrow(patch(topology!, { ...topology!, base: 3, version: 4, rules: delta, aliases: same, members: same, agents: same, localNodes: same }))] }, before)
    assert.isAbove(before.plan.outbound.length, 0)
    for (const permit of before.plan.outbound) assert.isTrue(after.plan.outbound.includes(permit))
    assert.strictEqual(after.plan.zones[0], before.plan.zones[0])
    assert.deepStrictEqual(Object.keys(diffPlans(before.plan, after.plan)), ["networks", "outbound", "inbound"])
  })

  it("permits carry the limits of their alias and of their source, and change with them", () => {
    const before = inputOf({ draft: sample, running: [true, true, true, true, true], joined: [true, true, true], stale: false })
    const [topology] = before.topologies as [Topology]
    const limited: Topology = {
      ...topology, aliases: topology.aliases.map((alias) => ({ ...alias, limit: { maxStreams: 5 } })),
      members: topology.members.map((member) => member.id === id("sbx", 2) ? { ...member, limit: { maxPerSecond: 7 } } : member)
    }
    const plan = makePlan({ ...before, topologies: [limited] })
    const alias = { id: `alias/${id("als", 0)}`, name: `alias ${topology.aliases[0]!.name}`, maxStreams: 5 }
    const source = { id: `source/${id("net", 1)}/${id("sbx", 2)}`, name: `source ${topology.members[2]!.name}`, maxPerSecond: 7 }
    assert.deepStrictEqual(plan.outbound.map(({ sandbox, limits }) => [`${sandbox}`, limits]), [[id("sbx", 0), [alias]], [id("sbx", 2), [alias, source]], [id("sbx", 3), [alias]]])
    assert.deepStrictEqual(plan.inbound.map(({ limits }) => limits), [[alias]])
    assert.deepStrictEqual(makePlanned({ ...before, topologies: [limited] }, makePlanned(before)).plan, plan)
    assert.deepStrictEqual(makePlanned(before, makePlanned({ ...before, topologies: [limited] })).plan, makePlan(before))
  })

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
      agentId: here, topologies: [topology, other], stale: false,
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
