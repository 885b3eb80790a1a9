/**
 * What a developer's machine is told of a network: itself; the rules that let it in somewhere, their aliases and the agents behind these; and of
 * what it publishes, the rules that let others in, and those others with their agents. Nothing else is its business.
 */
import type { AliasId, LocalNodeId } from "../../domain/Ids.ts"
import { coversLocal, pairsTo } from "../../domain/Policy.ts"
import type { Topology } from "../../domain/Topology.ts"

export const localTopology = (topology: Topology, id: LocalNodeId): Topology => {
  const self = topology.localNodes.find((node) => node.id === id)
  if (self === undefined) return { ...topology, members: [], rules: [], aliases: [], agents: [], localNodes: [] }
  const out = topology.rules.filter((rule) => coversLocal(rule.source, self.user))
  const reachable = new Set(out.map((rule) => rule.aliasId))
  const callers = callersOf(topology, id)
  const aliases = topology.aliases.filter((alias) => reachable.has(alias.id) || callers.aliases.has(alias.id))
  const hosts = new Set([...aliases.filter((alias) => reachable.has(alias.id)).map((alias) => alias.agentId), ...callers.members.map((member) => member.agentId)])
  return {
    ...topology, members: callers.members, rules: topology.rules.filter((rule) => out.includes(rule) || callers.rules.includes(rule)), aliases,
    agents: topology.agents.filter((agent) => hosts.has(agent.id)), localNodes: [self]
  }
}

/** Who may reach what the machine publishes, by which rules; `aliases`: what it publishes, and those that a rule names as its source. */
const callersOf = (topology: Topology, id: LocalNodeId) => {
  const own = topology.aliases.filter((alias) => alias.local?.nodeId === id)
  const rules = topology.rules.filter((rule) => own.some((alias) => alias.id === rule.aliasId))
  const known = new Map(topology.aliases.map((alias) => [alias.id, alias]))
  const callers = new Set(own.flatMap((alias) => pairsTo(alias, rules.filter((rule) => rule.aliasId === alias.id), topology.members, known)).map(({ member }) => member))
  return {
    rules, members: topology.members.filter((member) => callers.has(member)),
    aliases: new Set<AliasId>([...own.map((alias) => alias.id), ...rules.flatMap(({ source }) => source._tag === "Alias" ? [source.aliasId] : [])])
  }
}
