/**
 * What meshd is to do, computed from what this agent knows: every topology it has, the sandboxes that run here, and
 * which topologies are too old to grant anything new. Pure, complete and deterministic: the same input gives the same
 * plan, permit ids included, so an agent that restarts describes the same permits again and open streams live on.
 */
import type { AgentId, SandboxId } from "../../domain/Ids.ts"
import { allowedPairs, type AllowedPair } from "../../domain/Policy.ts"
import type { Topology, TopologyAgent } from "../../domain/Topology.ts"
import type { Inbound, Outbound, Plan, Target } from "../../protocol/meshd/Messages.ts"
import { compileZone } from "../dns/zone.ts"

/** The process whose network namespace is the sandbox. */
export interface RunningSandbox { readonly id: SandboxId; readonly pid: number; readonly startTime: number }
/** `stale`: out of touch with the control plane for too long, so nothing new may be granted from it. */
export interface KnownNetwork { readonly topology: Topology; readonly stale: boolean }
export interface PlanInput {
  readonly agentId: AgentId
  readonly networks: ReadonlyArray<KnownNetwork>
  readonly sandboxes: ReadonlyArray<RunningSandbox>
}

export const emptyPlan: Plan = { networks: [], zones: [], sandboxes: [], outbound: [], inbound: [] }

export const makePlan = ({ agentId, networks, sandboxes }: PlanInput): Plan => {
  const running = new Set<SandboxId>(sandboxes.map((sandbox) => sandbox.id))
  const outbound: Array<Outbound> = [], inbound: Array<Inbound> = []
  for (const { topology, stale } of networks) {
    const frozen = stale ? { frozen: true } : {}
    const agents = new Map(topology.agents.map((agent) => [agent.id, agent]))
    for (const pair of allowedPairs(topology)) {
      const sourceIsHere = pair.member.agentId === agentId
      if (sourceIsHere && running.has(pair.member.id)) {
        const target = targetOf(pair, agentId, agents)
        if (target !== undefined) outbound.push({ ...outboundOf(topology, pair, target), ...frozen })
      }
      if (!sourceIsHere && pair.alias.agentId === agentId) {
        const node = agents.get(pair.member.agentId)?.node
        if (node) inbound.push({ ...inboundOf(topology, pair, node.id), ...frozen })
      }
    }
  }
  return {
    networks: networks.map(({ topology }) => ({ id: topology.networkId, topologyVersion: topology.version })),
    ...zonesOf(networks.map(({ topology }) => topology), sandboxes, agentId),
    outbound, inbound
  }
}

/** A sandbox on another agent has no way to it, and so no permit, before that agent's node is known. */
const targetOf = (pair: AllowedPair, here: AgentId, agents: ReadonlyMap<AgentId, TopologyAgent>): Target | undefined => {
  if (pair.alias.agentId === here) return { kind: "sandbox", sandbox: pair.alias.sandboxId }
  const node = agents.get(pair.alias.agentId)?.node
  return node ? { kind: "node", node: node.id, address: node.address } : undefined
}

const outboundOf = (topology: Topology, { member, alias, port, rules }: AllowedPair, target: Target): Outbound => ({
  id: `o/${member.id}/${alias.address}:${port}`, sandbox: member.id, network: topology.networkId, alias: alias.id,
  address: alias.address, port, target, rules: rules.map((rule) => rule.id)
})

const inboundOf = (topology: Topology, { member, alias, port, rules }: AllowedPair, node: string): Inbound => ({
  id: `i/${topology.networkId}/${node}/${member.id}/${alias.id}:${port}`, network: topology.networkId, node, source: member.id,
  alias: alias.id, port, sandbox: alias.sandboxId, rules: rules.map((rule) => rule.id)
})

/** Sandboxes that are attached to the same networks see the same names, so they share one zone. */
const zonesOf = (topologies: ReadonlyArray<Topology>, sandboxes: ReadonlyArray<RunningSandbox>, here: AgentId): Pick<Plan, "zones" | "sandboxes"> => {
  const attached = new Map<SandboxId, Array<Topology>>()
  for (const topology of topologies) {
    for (const member of topology.members) {
      if (member.agentId === here) attached.set(member.id, [...(attached.get(member.id) ?? []), topology])
    }
  }
  const zones = new Map<string, Plan["zones"][number]>()
  const placed = sandboxes.map(({ id, pid, startTime }) => {
    const networks = attached.get(id) ?? []
    const zone = `z/${networks.map((topology) => topology.networkId).sort().join("+")}`
    if (!zones.has(zone)) zones.set(zone, compileZone(zone, networks))
    return { id, pid, startTime, zone }
  })
  return { zones: [...zones.values()], sandboxes: placed }
}
