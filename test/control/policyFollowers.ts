/** Agents and developers' machines that follow what the control plane tells them, as the product's do: by snapshots and deltas, and by renewals. */
import { assert } from "@effect/vitest"
import { Option, Schema } from "effect"
import { makePlan, type Planned } from "../../src/agent/plan/plan.ts"
import type { Snapshots } from "../../src/control/Snapshots.ts"
import type { AgentId, LocalNodeId, NetworkId } from "../../src/domain/Ids.ts"
import { patch, Topology } from "../../src/domain/Topology.ts"
import { localPlan } from "../../src/local/plan.ts"
import type { Outbound, Plan } from "../../src/protocol/meshd/Messages.ts"

export const nodeOf = (agent: AgentId): string => `node-${agent}`

/** The same agents are the same object again, as in a topology that a delta left alone: plans tell by that what has not changed. */
const joinedAgents = new WeakMap<Topology["agents"], Topology["agents"]>()
const withNodes = (topology: Topology): Topology => {
  const { agents } = topology
  const known = joinedAgents.get(agents) ?? agents.map((agent) => ({ ...agent, node: { id: nodeOf(agent.id), address: "100.64.0.1" } }))
  joinedAgents.set(agents, known)
  return { ...topology, agents: known }
}

export class FollowingAgent {
  readonly topologies = new Map<NetworkId, Topology>()
  planned: Planned | undefined
  readonly id: AgentId
  constructor(id: AgentId) { this.id = id }

  /** All that is left is what was on the disk. */
  restart(): void {
    this.planned = undefined
    for (const [id, topology] of this.topologies) this.topologies.set(id, Schema.decodeSync(Schema.fromJsonString(Topology))(Schema.encodeSync(Schema.fromJsonString(Topology))(topology)))
  }

  follow(snapshots: Snapshots["Service"], newest: Topology): void {
    const known = this.topologies.get(newest.networkId)
    const update = snapshots.update(newest, known?.version ?? null)
    const followed = update._tag === "Snapshot" ? update.topology : Option.getOrThrow(patch(known!, update.delta))
    assert.deepStrictEqual(followed, newest)
    this.topologies.set(newest.networkId, followed)
  }

  plan(running: ReadonlyArray<{ readonly id: string }>): Plan {
    const joined = [...this.topologies.values()].map(withNodes)
    this.planned = makePlan({ agentId: this.id, topologies: joined, stale: false, sandboxes: running.map(({ id }, i) => ({ id: id as never, pid: i + 1, startTime: 1 })) }, this.planned)
    return this.planned.plan
  }
}

/** One join of one network. */
export class FollowingMachine {
  topology: Topology | undefined
  readonly id: LocalNodeId
  readonly node: string
  constructor(id: LocalNodeId, node: string) {
    this.id = id
    this.node = node
  }

  outbound(): ReadonlyArray<Outbound> { return this.topology === undefined ? [] : localPlan([withNodes(this.topology)], []).outbound }
}
