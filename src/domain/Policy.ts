/** The one place where rules are evaluated. Rules only add; no rule, no traffic; only members (or joined local nodes) can be a source. */
import type { AliasId, SandboxId } from "./Ids.ts"
import type { Source } from "./Selector.ts"
import type { Member, Topology, TopologyAlias, TopologyRule } from "./Topology.ts"

/** Whether a source selector covers an attached sandbox. */
export const covers = (source: Source, member: Member, aliases: ReadonlyMap<string, TopologyAlias>): boolean => {
  switch (source._tag) {
    case "Any": return true
    case "Local": return false
    case "Sandbox": return source.sandboxId === member.id
    case "Alias": return aliases.get(source.aliasId)?.sandboxId === member.id
    case "Label": return member.labels[source.key] === source.value
  }
}

/** The rules that let `sandbox` reach `alias` and `port`; empty means denied. */
export const rulesFor = (topology: Topology, sandbox: SandboxId, alias: AliasId, port: number): ReadonlyArray<TopologyRule> => {
  const member = topology.members.find((m) => m.id === sandbox)
  if (member === undefined) return []
  const aliases = new Map(topology.aliases.map((a) => [a.id, a]))
  if (!aliases.get(alias)?.ports.some((p) => p === port)) return []
  return topology.rules.filter((rule) => rule.aliasId === alias && rule.port === port && covers(rule.source, member, aliases))
}

/** The rules that let developers' joined machines reach `alias` and `port`. */
export const rulesForLocal = (topology: Topology, alias: AliasId, port: number): ReadonlyArray<TopologyRule> =>
  topology.aliases.some((a) => a.id === alias && a.ports.some((p) => p === port))
    ? topology.rules.filter((rule) => rule.aliasId === alias && rule.port === port && rule.source._tag === "Local")
    : []

export interface AllowedPair {
  readonly member: Member
  readonly alias: TopologyAlias
  readonly port: number
  readonly rules: ReadonlyArray<TopologyRule>
}

/** Every (sandbox, alias, port) that the topology allows, with the rules that say so; linear in rules × members. */
export const allowedPairs = (topology: Topology): ReadonlyArray<AllowedPair> => {
  const aliases = new Map(topology.aliases.map((a) => [a.id, a]))
  const pairs = new Map<string, { member: Member; alias: TopologyAlias; port: number; rules: Array<TopologyRule> }>()
  for (const rule of topology.rules) {
    const alias = aliases.get(rule.aliasId)
    if (!alias?.ports.includes(rule.port)) continue
    for (const member of topology.members) {
      if (!covers(rule.source, member, aliases)) continue
      const key = `${member.id} ${alias.id} ${rule.port}`
      const pair = pairs.get(key)
      if (pair === undefined) pairs.set(key, { member, alias, port: rule.port, rules: [rule] })
      else pair.rules.push(rule)
    }
  }
  return [...pairs.values()]
}
