/** Answers to "may A reach B?", "who can reach B?" and "what can A reach?", computed from the stored rules. */
import { Schema } from "effect"
import { AgentName, AliasName, hostName, Port, SandboxName } from "./DnsLabel.ts"
import { RuleId, SandboxId } from "./Ids.ts"
import { Rule } from "./Network.ts"
import { hasEnded, hasExpired, pairsTo, rulesForLocal, sourcesOf } from "./Policy.ts"
import type { Source } from "./Selector.ts"
import type { Topology, TopologyAlias, TopologyRule } from "./Topology.ts"

/** The last change of a rule for one alias and port. `because`: what went, and took the rule along (`rule.end`). */
export const RuleChange = Schema.Struct({
  at: Schema.String, by: Schema.String, action: Schema.Literals(["rule.allow", "rule.revoke", "rule.expire", "rule.end"]), version: Schema.Int, rule: Rule,
  because: Schema.NullOr(Schema.String)
})
export type RuleChange = typeof RuleChange.Type

export const Explanation = Schema.Struct({
  network: Schema.String, version: Schema.Int,
  /** The selector as it was written. */
  source: Schema.String, alias: AliasName, port: Port,
  verdict: Schema.Literals(["allowed", "denied"]),
  /** One sentence. */
  reason: Schema.String,
  /** The rules that decide; none when denied, unless only some of the source's sandboxes may. */
  rules: Schema.Array(Rule),
  /** The sandboxes that the selector stands for. */
  sandboxes: Schema.Array(Schema.Struct({ id: SandboxId, name: SandboxName, rules: Schema.Array(RuleId) })),
  /** The command that would allow it. */
  wouldAllow: Schema.NullOr(Schema.String),
  lastChange: Schema.NullOr(RuleChange)
})
export type Explanation = typeof Explanation.Type

/** A source that may reach a target: a sandbox by name, or a developer's machine as `local:<user>`. `sandboxId` null: developers' joined machines, `source` says whose. */
export const Reach = Schema.Struct({
  source: Schema.String, sandboxId: Schema.NullOr(SandboxId), agent: Schema.NullOr(AgentName),
  alias: AliasName, port: Port, hostName: Schema.String, target: Schema.String, rules: Schema.Array(RuleId)
})
export type Reach = typeof Reach.Type

/** What answers: the name of the sandbox, or `local:<user>`. */
export const behind = (topology: Topology, { local, sandboxId }: TopologyAlias): string => local === undefined
  ? topology.members.find((member) => member.id === sandboxId)!.name
  : `local:${topology.localNodes.find((node) => node.id === local.nodeId)?.user ?? local.nodeId}`

/** The users whose machines some rule lets in; undefined stands for everybody's. */
export const usersIn = (topology: Topology): ReadonlySet<string | undefined> =>
  new Set(topology.rules.flatMap(({ source }) => source._tag === "Local" ? [source.user] : []))

/** All pairs with one of `targets`; from what `source` stands for, or without one from every sandbox and the machines of `users`. `now` in milliseconds since the epoch. */
export const reaches = (
  topology: Topology, targets: ReadonlyArray<TopologyAlias>, source: Source | undefined, now: number, users = usersIn(topology)
): ReadonlyArray<Reach> => {
  const aliases = new Map(topology.aliases.map((alias) => [alias.id, alias]))
  const agents = new Map(topology.agents.map((agent) => [agent.id, agent.name]))
  const inForce = topology.rules.filter((rule) => !hasExpired(rule, now))
  const members = source === undefined ? topology.members : sourcesOf(topology, source)
  const machines = source === undefined ? users : new Set(source._tag === "Local" ? [source.user] : [])

  return targets.filter((alias) => !hasEnded(alias, now)).flatMap((alias) => {
    const to = (port: Port, rules: ReadonlyArray<TopologyRule>) => ({
      alias: alias.name, port, hostName: hostName(alias.name, topology.name), target: behind(topology, alias), rules: rules.map((rule) => rule.id)
    })
    const byMachines = alias.ports.flatMap((port) => [...machines].flatMap((user): ReadonlyArray<Reach> => {
      const rules = rulesForLocal(topology, alias.id, port, now, user)
      return rules.length === 0 ? [] : [{ source: user === undefined ? "local" : `local:${user}`, sandboxId: null, agent: null, ...to(port, rules) }]
    }))
    const bySandboxes = pairsTo(alias, inForce.filter((rule) => rule.aliasId === alias.id), members, aliases).map(({ member, port, rules }): Reach => ({
      source: `sandbox:${member.name}`, sandboxId: member.id, agent: agents.get(member.agentId) ?? null, ...to(port, rules)
    }))
    return [...byMachines, ...bySandboxes]
  })
}
