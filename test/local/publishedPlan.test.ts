import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { makePlan } from "../../src/agent/plan/plan.ts"
import { localTopology } from "../../src/control/LocalNodes/localTopology.ts"
import { localPlan } from "../../src/local/plan.ts"
import type { Topology } from "../../src/domain/Topology.ts"
import { Draft, topologyOf } from "../domain/topologies.ts"

/** Every agent has joined, and every sandbox runs. */
const joined = (draft: Draft): Topology => {
  const topology = topologyOf(draft)
  return { ...topology, agents: topology.agents.map((agent) => ({ ...agent, node: { id: `n-${agent.id}`, address: "100.64.0.1" } })) }
}
const agentPlan = (topology: Topology, agentId: Topology["agents"][number]["id"]) => makePlan({
  agentId, topologies: [topology], stale: false, sandboxes: topology.members.filter((member) => member.agentId === agentId).map(({ id }, i) => ({ id, pid: 100 + i, startTime: 7 }))
}).plan

/** As each machine is told of the network; a port of its loopback stands behind every alias. */
const machinePlan = (topology: Topology, id: Topology["localNodes"][number]["id"]) =>
  localPlan([localTopology(topology, id)], [], new Map(topology.aliases.map((alias, i) => [alias.id, 3000 + i])))

const withMachines = Schema.Struct({ ...Draft.fields, published: Draft.fields.published.schema, localNodes: Draft.fields.localNodes.schema })

describe("what a developer's machine lets in", () => {
  it.prop("lets in exactly the streams that agents let out to it, and lets out exactly those that agents let in from it", [withMachines], ([draft]) => {
    const topology = joined(draft)
    const agents = topology.agents.map(({ id, node }) => ({ node: node!.id, plan: agentPlan(topology, id) }))
    for (const machine of topology.localNodes) {
      const { inbound, outbound } = machinePlan(topology, machine.id)
      const sent = agents.flatMap(({ node, plan }) => plan.outbound.filter(({ target }) => target.kind === "node" && target.node === machine.nodeId)
        .map(({ alias, expiresAt, port, rules, sandbox }) => [node, sandbox, alias, port, expiresAt, rules]))
      assert.deepStrictEqual(new Set(inbound.map(({ alias, expiresAt, node, port, rules, source }) => JSON.stringify([node, source, alias, port, expiresAt, rules]))), new Set(sent.map((one) => JSON.stringify(one))))
      const taken = agents.flatMap(({ node, plan }) => plan.inbound.filter((permit) => permit.node === machine.nodeId)
        .map(({ alias, expiresAt, port, source }) => JSON.stringify([node, source, alias, port, expiresAt])))
      assert.deepStrictEqual(new Set(outbound.map(({ alias, expiresAt, port, sandbox, target }) => JSON.stringify([target.kind === "node" && target.node, sandbox, alias, port, expiresAt]))), new Set(taken))
    }
  }, { arbitrary: { runs: 300 } })

  it.prop("leads to the loopback's port of its own aliases only, no longer than alias and join last", [withMachines], ([draft]) => {
    const topology = joined(draft)
    for (const machine of topology.localNodes) {
      for (const permit of machinePlan(topology, machine.id).inbound) {
        const at = topology.aliases.findIndex(({ id }) => id === permit.alias), { local } = topology.aliases[at]!
        assert.deepStrictEqual([local?.nodeId, permit.loopback, permit.sandbox], [machine.id, 3000 + at, undefined])
        assert.isAtMost(permit.expiresAt!, Math.min(local!.expiresAt, machine.expiresAt))
      }
    }
  }, { arbitrary: { runs: 300 } })

  it("lets nobody in before the machine itself has a port for the alias", () => {
    const topology = joined({
      version: 1, members: [{ sandbox: 0, agent: 0, team: "red" }], aliases: [], rules: [{ rule: 0, alias: 1, port: 80, kind: "Any", sandbox: 0, sourceAlias: 0, team: "red" }],
      published: [{ alias: 1, node: 0, port: 80, expiresAt: 1_000_001 }], localNodes: [{ node: 0, user: "ann", expiresAt: 1_000_001 }]
    })
    const [machine] = topology.localNodes
    assert.strictEqual(machinePlan(topology, machine!.id).inbound.length, 1)
    assert.isEmpty(localPlan([localTopology(topology, machine!.id)], []).inbound)
  })
})
