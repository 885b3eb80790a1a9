/**
 * The permits that follow from one network's topology, alias by alias. What a change leaves alone is taken over from before
 * as the same objects: it costs nothing, makes no garbage, and whoever compares two plans finds the difference by identity.
 */
import { difference } from "../../domain/difference.ts"
import type { AgentId, AliasId, LocalNodeId, SandboxId } from "../../domain/Ids.ts"
import { type AllowedLocal, type AllowedPair, expiryOf, localsTo, pairsTo } from "../../domain/Policy.ts"
import type { Member, Topology, TopologyAgent, TopologyAlias, TopologyLocalNode, TopologyRule } from "../../domain/Topology.ts"
import type { Inbound, Outbound, Target } from "../../protocol/meshd/Messages.ts"

/** What permits follow from besides the topology. `stale`: nothing new may be granted. */
export interface Here { readonly agentId: AgentId; readonly running: ReadonlySet<SandboxId>; readonly stale: boolean }

/** Who may reach an alias from here, and who comes for it from elsewhere. */
export interface AliasPermits { readonly alias: TopologyAlias; readonly outbound: ReadonlyArray<Outbound>; readonly inbound: ReadonlyArray<Inbound> }

/** `aliases` in the order of the topology's: by id. */
export interface NetworkPermits { readonly topology: Topology; readonly here: Here; readonly aliases: ReadonlyArray<AliasPermits> }

/** The same with and without `before`. */
export const networkPermits = (topology: Topology, here: Here, before: NetworkPermits | undefined): NetworkPermits => {
  if (before?.topology === topology && before.here === here) return before
  const comparable = before?.here === here && before.topology.members === topology.members && before.topology.agents === topology.agents && before.topology.localNodes === topology.localNodes
  const known = comparable ? before : undefined
  const touched = known && touchedAliases(known.topology, topology)
  const isTouched = (id: AliasId): boolean => touched === undefined || touched.has(id)
  const rules = rulesByAlias(topology.rules, isTouched)
  const permits = permitsOf(topology, here)
  let at = 0
  return { topology, here, aliases: topology.aliases.map((alias) => {
    if (known === undefined || isTouched(alias.id)) return permits(alias, rules.get(alias.id) ?? [])
    while (known.aliases[at]!.alias !== alias) at++ // both are in the same order
    return known.aliases[at]!
  }) }
}

/** Those that have changed themselves, and those whose rules have, or name a changed alias as source. */
const touchedAliases = (before: Topology, after: Topology): ReadonlySet<AliasId> => {
  const aliases = difference(before.aliases, after.aliases), rules = difference(before.rules, after.rules)
  const changed = new Set([...aliases.before, ...aliases.after].map((alias) => alias.id))
  const touched = new Set([...changed, ...[...rules.before, ...rules.after].map((rule) => rule.aliasId)])
  if (changed.size > 0) for (const { source, aliasId } of after.rules) if (source._tag === "Alias" && changed.has(source.aliasId)) touched.add(aliasId)
  return touched
}

const rulesByAlias = (rules: ReadonlyArray<TopologyRule>, wanted: (id: AliasId) => boolean): ReadonlyMap<AliasId, ReadonlyArray<TopologyRule>> => {
  const found = new Map<AliasId, Array<TopologyRule>>()
  for (const rule of rules) {
    if (!wanted(rule.aliasId)) continue
    const others = found.get(rule.aliasId)
    if (others === undefined) found.set(rule.aliasId, [rule])
    else others.push(rule)
  }
  return found
}

const permitsOf = (topology: Topology, here: Here) => {
  const agents = new Map(topology.agents.map((agent) => [agent.id, agent]))
  const machines = new Map(topology.localNodes.map((node) => [node.id, node]))
  const aliases = new Map(topology.rules.some((rule) => rule.source._tag === "Alias") ? topology.aliases.map((alias) => [alias.id, alias]) : [])
  const frozen = here.stale ? { frozen: true } : {}
  return (alias: TopologyAlias, rules: ReadonlyArray<TopologyRule>): AliasPermits => {
    const outbound: Array<Outbound> = [], inbound: Array<Inbound> = []
    for (const pair of pairsTo(alias, rules, topology.members, aliases)) {
      const sourceIsHere = pair.member.agentId === here.agentId
      if (sourceIsHere && here.running.has(pair.member.id)) {
        const target = targetOf(pair, here.agentId, agents, machines)
        if (target !== undefined) outbound.push({ ...outboundOf(topology, pair, target, machines), ...frozen })
      }
      if (!sourceIsHere && alias.agentId === here.agentId) {
        const node = agents.get(pair.member.agentId)?.node
        if (node) inbound.push({ ...inboundOf(topology, pair, node.id, { sandbox: alias.sandboxId! }), ...frozen })
      }
    }
    if (alias.agentId === here.agentId) {
      for (const local of localsTo(alias, rules, topology.localNodes)) inbound.push({ ...localInboundOf(topology, alias, local), ...frozen })
    }
    return { alias, outbound, inbound }
  }
}

/** A sandbox on another agent has no way to it, and so no permit, before that agent's node is known. A machine that publishes is where its node is. */
const targetOf = (
  { alias }: AllowedPair, here: AgentId, agents: ReadonlyMap<AgentId, TopologyAgent>, machines: ReadonlyMap<LocalNodeId, TopologyLocalNode>
): Target | undefined => {
  if (alias.local !== undefined) {
    const machine = machines.get(alias.local.nodeId)
    return machine && { kind: "node", node: machine.nodeId, address: machine.address }
  }
  if (alias.agentId === here) return { kind: "sandbox", sandbox: alias.sandboxId! }
  const node = agents.get(alias.agentId!)?.node
  return node ? { kind: "node", node: node.id, address: node.address } : undefined
}

/** By which rules, and until when, with all else that ends: meshd ends a permit on time by itself, also when nobody tells it. */
const granted = (rules: ReadonlyArray<TopologyRule>, ...ends: ReadonlyArray<{ readonly expiresAt: number } | undefined>): Pick<Outbound, "rules" | "expiresAt"> => {
  const expiresAt = Math.min(expiryOf(rules) ?? Infinity, ...ends.map((end) => end?.expiresAt ?? Infinity))
  return { rules: rules.map((rule) => rule.id), ...(expiresAt === Infinity ? {} : { expiresAt }) }
}

/** The alias's own limit holds for all that come to it, the source's for all that it opens in this network. */
const limited = ({ networkId }: Topology, alias: TopologyAlias, member?: Member): Pick<Outbound, "limits"> => {
  const limits = [
    ...alias.limit === undefined ? [] : [{ id: `alias/${alias.id}`, name: `alias ${alias.name}`, ...alias.limit }],
    ...member?.limit === undefined ? [] : [{ id: `source/${networkId}/${member.id}`, name: `source ${member.name}`, ...member.limit }]
  ]
  return limits.length === 0 ? {} : { limits }
}

const outboundOf = (topology: Topology, { member, alias, port, rules }: AllowedPair, target: Target, machines: ReadonlyMap<LocalNodeId, TopologyLocalNode>): Outbound => ({
  id: `o/${member.id}/${alias.address}:${port}`, sandbox: member.id, network: topology.networkId, alias: alias.id,
  address: alias.address, port, target, ...granted(rules, alias.local, alias.local && machines.get(alias.local.nodeId)), ...limited(topology, alias, member)
})

/** Bound to the machine's own node, which is no agent's: neither can speak for the other. Ends with the join at the latest. */
const localInboundOf = (topology: Topology, alias: TopologyAlias, { node, port, rules }: AllowedLocal): Inbound => ({
  id: `i/${topology.networkId}/${node.nodeId}/${node.id}/${alias.id}:${port}`, network: topology.networkId, node: node.nodeId, source: node.id,
  alias: alias.id, port, sandbox: alias.sandboxId!, ...granted(rules, node), ...limited(topology, alias)
})

/** From `node`, where the source is, to `behind` here. Ends with the join of the machine that publishes the alias, if one does. */
export const inboundOf = (
  topology: Topology, { member, alias, port, rules }: AllowedPair, node: string, behind: Pick<Inbound, "sandbox" | "loopback">, machine?: TopologyLocalNode
): Inbound => ({
  id: `i/${topology.networkId}/${node}/${member.id}/${alias.id}:${port}`, network: topology.networkId, node, source: member.id,
  alias: alias.id, port, ...behind, ...granted(rules, alias.local, machine), ...limited(topology, alias, member)
})
