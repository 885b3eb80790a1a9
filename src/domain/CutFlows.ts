/** Which open streams a change would end. Pure. */
import { Schema } from "effect"
import { NetworkMetrics } from "./AliasMetrics.ts"
import type { FlowGroup, FlowTotals } from "./Flow/groups.ts"
import { grouped, rulesOf, WouldRefuse } from "./PolicyReplay.ts"
import type { Topology } from "./Topology.ts"

export const CutFlows = Schema.Struct({
  /** Streams of one source to one alias and port; `rules` are those that they rest on. */
  cut: Schema.Array(WouldRefuse),
  /** At most so many open streams were not looked at: of the sources, aliases and ports with the fewest, where an agent knows of too many. */
  left: Schema.Int,
  /** Those that were asked: none when nobody loses anything. `problem` null: that agent answered. */
  agents: NetworkMetrics.fields.agents
})
export type CutFlows = typeof CutFlows.Type

export const noneCut: CutFlows = { cut: [], left: 0, agents: [] }

export const countOf = ({ cut }: CutFlows): number => cut.reduce((sum, { count }) => sum + count, 0)

const isHeld = (topology: Topology, group: FlowGroup, now: number): boolean => {
  const rules = rulesOf(topology, group, now) ?? []
  const target = topology.aliases.find(({ id }) => id === group.aliasId)?.sandboxId
  return rules.length > 0 && (group.targetId === null || group.targetId === target)
}

/** What is allowed `before` and not `after`: what a host out of touch still carries is ended by another change than this. */
export const cutFlows = ({ groups, left, agents }: Pick<FlowTotals, "groups" | "left" | "agents">, before: Topology, after: Topology, now: number): CutFlows => {
  const cut = groups.filter((group) => isHeld(before, group, now) && !isHeld(after, group, now))
  return {
    cut: grouped(cut.map((record) => ({ record, rules: record.rules }))),
    left: left.flows, agents: agents.map(({ agent, problem }) => ({ agent, problem }))
  }
}
