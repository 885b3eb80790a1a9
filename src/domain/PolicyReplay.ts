/**
 * What a policy would have meant for what agents have recorded: streams that it would have refused, and refused attempts that it would let
 * through. Pure. It is judged as the network is now, so a record whose source, alias or port is not in it any more is counted, not judged.
 */
import { Schema } from "effect"
import { NetworkName } from "./DnsLabel.ts"
import { FlowList, type Refusal } from "./Flow.ts"
import type { FlowGroup, FlowTotals } from "./Flow/groups.ts"
import { RuleId } from "./Ids.ts"
import type { Rule } from "./Network.ts"
import { rulesFor, rulesForLocal } from "./Policy.ts"
import { PolicyRule, toPolicyRule } from "./PolicyFile.ts"
import type { Topology, TopologyRule } from "./Topology.ts"

const group = { sourceId: Schema.String, source: Schema.String, alias: Schema.String, port: Schema.Int, count: Schema.Int, lastAt: Schema.Finite }
/** Streams of one source to one alias and port; `rules` are those that they rested on. */
export const WouldRefuse = Schema.Struct({ ...group, rules: Schema.Array(RuleId) })
export type WouldRefuse = typeof WouldRefuse.Type
/** `rules` would let them through; those that are new have no ids yet. */
export const WouldAllow = Schema.Struct({ ...group, rules: Schema.Array(PolicyRule) })
export type WouldAllow = typeof WouldAllow.Type

const counts = Schema.Struct({ flows: Schema.Int, refusals: Schema.Int })

export const PolicyReplay = Schema.Struct({
  network: NetworkName,
  /** The topology version that the policy was tried on. */
  version: Schema.Int,
  /** From when on records were asked for; every host counts by its own clock. */
  since: Schema.Finite,
  wouldRefuse: Schema.Array(WouldRefuse), wouldAllow: Schema.Array(WouldAllow),
  /** Streams, and attempts that were refused. */
  judged: counts, unjudged: counts,
  /** The oldest record that was looked at; null: there was none. */
  oldestAt: Schema.NullOr(Schema.Finite),
  /** At most so many were not looked at: of the sources, aliases and ports with the fewest, where an agent knows of too many. */
  left: counts,
  agents: FlowList.fields.agents
})
export type PolicyReplay = typeof PolicyReplay.Type

export const changesNothing = ({ wouldAllow, wouldRefuse }: PolicyReplay): boolean => wouldAllow.length === 0 && wouldRefuse.length === 0

/** The rules that let it through; undefined: who it was, or what it went to, is not in the network. */
export const rulesOf = (topology: Topology, { alias, aliasId, port, source, sourceId }: FlowGroup | Refusal, now: number): ReadonlyArray<TopologyRule> | undefined => {
  const target = topology.aliases.find(({ id, name }) => aliasId === null ? name === alias : id === aliasId)
  if (target === undefined || !target.ports.some((published) => published === port)) return undefined
  // A user whose machine has left may join again, and is judged by name.
  const user = topology.localNodes.find(({ id }) => id === sourceId)?.user ?? (source.startsWith("local:") ? source.slice("local:".length) : undefined)
  if (user !== undefined) return rulesForLocal(topology, target.id, port, now, user)
  const member = topology.members.find(({ id }) => id === sourceId)
  return member && rulesFor(topology, member.id, target.id, port, now)
}

interface Seen { readonly record: FlowGroup | Refusal }

/** One for each source, alias and port, the most frequent first. */
export const grouped = <R>(seen: ReadonlyArray<Seen & { readonly rules: ReadonlyArray<R> }>) => {
  const groups = new Map<string, Omit<WouldRefuse, "rules"> & { readonly rules: ReadonlyArray<R> }>()
  for (const { record: { alias, aliasId, count, lastAt, port, source, sourceId }, rules } of seen) {
    const key = `${sourceId} ${aliasId ?? alias} ${port}`, known = groups.get(key)
    groups.set(key, {
      sourceId, source, alias, port, count: count + (known?.count ?? 0), lastAt: Math.max(lastAt, known?.lastAt ?? lastAt), rules: [...new Set([...known?.rules ?? [], ...rules])]
    })
  }
  return [...groups.values()].sort((a, b) => b.count - a.count || b.lastAt - a.lastAt)
}

const sumOf = (seen: ReadonlyArray<Seen>): number => seen.reduce((sum, { record }) => sum + record.count, 0)

/** `topology` and `rules` are those after the change. A stream that its target refused is among the refusals, and not looked at again. */
export const replay = ({ agents, groups, left, refusals: refused }: FlowTotals, topology: Topology, rules: ReadonlyArray<Rule>, now: number): Omit<PolicyReplay, "network" | "version" | "since"> => {
  const flows = groups.map((record) => ({ record, opening: rulesOf(topology, record, now), rules: record.rules }))
  const named = new Map(rules.map((rule) => [rule.id, toPolicyRule(rule)]))
  const refusals = refused.map((record) => {
    const opening = rulesOf(topology, record, now)
    return { record, opening, rules: (opening ?? []).flatMap(({ id }) => named.get(id) ?? []) }
  })
  const unjudged = { flows: sumOf(flows.filter(({ opening }) => opening === undefined)), refusals: sumOf(refusals.filter(({ opening }) => opening === undefined)) }
  const times = [...groups, ...refused].map(({ firstAt }) => firstAt)
  return {
    wouldRefuse: grouped(flows.filter(({ opening }) => opening?.length === 0)),
    wouldAllow: grouped(refusals.filter(({ opening }) => opening !== undefined && opening.length > 0)),
    judged: { flows: sumOf(flows) - unjudged.flows, refusals: sumOf(refusals) - unjudged.refusals }, unjudged,
    oldestAt: times.length === 0 ? null : times.reduce((a, b) => Math.min(a, b)),
    left, agents
  }
}
