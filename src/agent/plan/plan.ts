/**
 * What meshd is to do, computed from what this agent knows: every topology it has, the sandboxes that run here, and
 * which topologies are too old to grant anything new. Pure, complete and deterministic: the same input gives the same
 * plan, permit ids included, so an agent that restarts describes the same permits again and open streams live on. Given
 * what was planned before, only what has changed since is computed anew; the outcome is the same.
 */
import type { AgentId, NetworkId, SandboxId } from "../../domain/Ids.ts"
import type { Topology } from "../../domain/Topology.ts"
import type { Plan } from "../../protocol/meshd/Messages.ts"
import { type Here, networkPermits, type NetworkPermits } from "./permits.ts"
import { placeInZones, type Zones } from "./zones.ts"

/** The process whose network namespace is the sandbox. */
export interface RunningSandbox { readonly id: SandboxId; readonly pid: number; readonly startTime: number }
/** `stale`: out of touch with the control plane for too long, so nothing new may be granted. */
export interface PlanInput {
  readonly agentId: AgentId
  readonly topologies: ReadonlyArray<Topology>
  readonly sandboxes: ReadonlyArray<RunningSandbox>
  readonly stale: boolean
}

export interface Planned {
  readonly here: Here
  readonly networks: ReadonlyMap<NetworkId, NetworkPermits>
  readonly zones: Zones
  readonly plan: Plan
}

export const emptyPlan: Plan = { networks: [], zones: [], sandboxes: [], outbound: [], inbound: [] }

export const makePlan = (input: PlanInput, before?: Planned): Planned => {
  const here = hereOf(input, before?.here)
  const zones = placeInZones(input.topologies, input.sandboxes, input.agentId, before?.zones)
  const networks = new Map(input.topologies.map((topology) => [topology.networkId, networkPermits(topology, here, before?.networks.get(topology.networkId))]))
  const permits = [...networks.values()].flatMap((network) => network.aliases)
  return { here, networks, zones, plan: {
    networks: input.topologies.map((topology) => ({ id: topology.networkId, topologyVersion: topology.version })),
    zones: [...zones.compiled.values()].map(({ zone }) => zone),
    sandboxes: zones.sandboxes,
    outbound: permits.flatMap((alias) => alias.outbound),
    inbound: permits.flatMap((alias) => alias.inbound)
  } }
}

const hereOf = ({ agentId, sandboxes, stale }: PlanInput, before: Here | undefined): Here =>
  before?.agentId === agentId && before.stale === stale && before.running.size === sandboxes.length && sandboxes.every(({ id }) => before.running.has(id))
    ? before
    : { agentId, stale, running: new Set(sandboxes.map(({ id }) => id)) }
