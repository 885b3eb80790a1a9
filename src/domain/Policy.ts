/**
 * The one place where rules are evaluated. Rules only add; no rule, no traffic; only members (or joined local nodes) can be a source; a rule
 * whose time is over is none.
 */
import type { Port } from "./DnsLabel.ts"
import type { AliasId, SandboxId } from "./Ids.ts"
import type { Source } from "./Selector.ts"
import type { Member, Topology, TopologyAlias, TopologyLocalNode, TopologyRule } from "./Topology.ts"

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

/** Whether a source selector covers joined machines: of `user`, or of everybody when that is undefined. */
export const coversLocal = (source: Source, user: string | undefined): boolean => source._tag === "Local" && (source.user === undefined || source.user === user)

const opens = (rule: TopologyRule, port: number): boolean => rule.port <= port && port <= (rule.lastPort ?? rule.port)

/** `now` in milliseconds since the epoch. */
export const hasExpired = (rule: { readonly expiresAt?: number }, now: number): boolean => rule.expiresAt !== undefined && rule.expiresAt <= now

/** Whether an alias is there no longer, told or not: one of a developer's machine ends on time by itself. */
export const hasEnded = (alias: TopologyAlias, now: number): boolean => alias.local !== undefined && hasExpired(alias.local, now)

/** The rules in force that open a port which the alias publishes. */
const rulesTo = (topology: Topology, alias: AliasId, port: number, now: number): ReadonlyArray<TopologyRule> =>
  topology.aliases.some((a) => a.id === alias && a.ports.some((p) => p === port) && !hasEnded(a, now))
    ? topology.rules.filter((rule) => rule.aliasId === alias && opens(rule, port) && !hasExpired(rule, now))
    : []

/** The rules that let `sandbox` reach `alias` and `port`; empty means denied. */
export const rulesFor = (topology: Topology, sandbox: SandboxId, alias: AliasId, port: number, now: number): ReadonlyArray<TopologyRule> => {
  const member = topology.members.find((m) => m.id === sandbox)
  if (member === undefined) return []
  const aliases = new Map(topology.aliases.map((a) => [a.id, a]))
  return rulesTo(topology, alias, port, now).filter((rule) => covers(rule.source, member, aliases))
}

/** The rules that let developers' joined machines reach `alias` and `port`: those of `user`, or everybody's. */
export const rulesForLocal = (topology: Topology, alias: AliasId, port: number, now: number, user?: string): ReadonlyArray<TopologyRule> =>
  topology.aliases.some((a) => a.id === alias && a.local !== undefined) ? [] // one machine does not reach another
    : rulesTo(topology, alias, port, now).filter((rule) => coversLocal(rule.source, user))

export interface Judgement {
  /** The sandboxes that the selector stands for, each with the rules that let it in. */
  readonly sources: ReadonlyArray<{ readonly member: Member; readonly rules: ReadonlyArray<TopologyRule> }>
  /** All of them may, and there is somebody. */
  readonly allowed: boolean
  /** Every rule that lets one of them in, once. */
  readonly rules: ReadonlyArray<TopologyRule>
}

/** The attached sandboxes that a selector stands for. */
export const sourcesOf = (topology: Topology, source: Source): ReadonlyArray<Member> => {
  const aliases = new Map(topology.aliases.map((a) => [a.id, a]))
  return topology.members.filter((member) => covers(source, member, aliases))
}

/** Whether what a selector stands for may reach `alias` and `port`. */
export const judge = (topology: Topology, source: Source, alias: AliasId, port: number, now: number): Judgement => {
  if (source._tag === "Local") {
    const rules = rulesForLocal(topology, alias, port, now, source.user)
    return { sources: [], allowed: rules.length > 0, rules }
  }
  const sources = sourcesOf(topology, source).map((member) => ({ member, rules: rulesFor(topology, member.id, alias, port, now) }))
  return { sources, allowed: sources.length > 0 && sources.every(({ rules }) => rules.length > 0), rules: [...new Set(sources.flatMap(({ rules }) => rules))] }
}

export interface AllowedPair {
  readonly member: Member
  readonly alias: TopologyAlias
  readonly port: Port
  readonly rules: ReadonlyArray<TopologyRule>
}

/** Who may reach `alias`, and on which port, until their rules expire and it ends; `rules` are all those that name it. Linear in rules x members. */
export const pairsTo = (
  alias: TopologyAlias, rules: ReadonlyArray<TopologyRule>, members: ReadonlyArray<Member>, aliases: ReadonlyMap<string, TopologyAlias>
): ReadonlyArray<AllowedPair> => alias.ports.flatMap((port) => {
  const opening = rules.filter((rule) => opens(rule, port))
  return opening.length === 0 ? [] : members.flatMap((member) => {
    const matching = opening.filter((rule) => covers(rule.source, member, aliases))
    return matching.length === 0 ? [] : [{ member, alias, port, rules: matching }]
  })
})

export interface AllowedLocal {
  readonly node: TopologyLocalNode
  readonly port: Port
  readonly rules: ReadonlyArray<TopologyRule>
}

/** Which joined machines may reach `alias`, and on which port. As `pairsTo`. One machine does not reach another. */
export const localsTo = (alias: TopologyAlias, rules: ReadonlyArray<TopologyRule>, nodes: ReadonlyArray<TopologyLocalNode>): ReadonlyArray<AllowedLocal> =>
  nodes.length === 0 || alias.local !== undefined ? [] : alias.ports.flatMap((port) => nodes.flatMap((node) => {
    const matching = rules.filter((rule) => opens(rule, port) && coversLocal(rule.source, node.user))
    return matching.length === 0 ? [] : [{ node, port, rules: matching }]
  }))

/** When the last of the rules ends, in milliseconds since the epoch; undefined: never. */
export const expiryOf = (rules: ReadonlyArray<TopologyRule>): number | undefined =>
  rules.reduce<number | undefined>((last, { expiresAt }) => last === undefined || expiresAt === undefined ? undefined : Math.max(last, expiresAt), 0)
