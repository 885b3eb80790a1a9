/** Which zone each sandbox here asks. Sandboxes that are attached to the same networks see the same names, so they share one. */
import type { AgentId, SandboxId } from "../../domain/Ids.ts"
import type { Topology } from "../../domain/Topology.ts"
import type { Plan, Zone } from "../../protocol/meshd/Messages.ts"
import { compileZone } from "../dns/zone.ts"
import type { RunningSandbox } from "./plan.ts"

/** A zone, and what it was compiled from. */
export interface CompiledZone { readonly networks: ReadonlyArray<Topology>; readonly zone: Zone }
export interface Zones { readonly compiled: ReadonlyMap<string, CompiledZone>; readonly sandboxes: Plan["sandboxes"] }

/** A zone whose names have not changed is the object from before. */
export const placeInZones = (topologies: ReadonlyArray<Topology>, sandboxes: ReadonlyArray<RunningSandbox>, agentId: AgentId, before: Zones | undefined): Zones => {
  const attached = new Map<SandboxId, Array<Topology>>()
  for (const topology of topologies) {
    for (const member of topology.members) {
      if (member.agentId === agentId) attached.set(member.id, [...(attached.get(member.id) ?? []), topology])
    }
  }
  const compiled = new Map<string, CompiledZone>()
  const placed = sandboxes.map(({ id, pid, startTime }) => {
    const networks = attached.get(id) ?? []
    const zone = `z/${networks.map((topology) => topology.networkId).sort().join("+")}`
    if (!compiled.has(zone)) compiled.set(zone, compile(zone, networks, before?.compiled.get(zone)))
    return { id, pid, startTime, zone }
  })
  return { compiled, sandboxes: placed }
}

const compile = (id: string, networks: ReadonlyArray<Topology>, before: CompiledZone | undefined): CompiledZone => ({
  networks,
  zone: before !== undefined && networks.every((network, i) => sameNames(before.networks[i]!, network)) ? before.zone : compileZone(id, networks)
})

const sameNames = (a: Topology, b: Topology): boolean => a.networkId === b.networkId && a.name === b.name && a.aliases === b.aliases
