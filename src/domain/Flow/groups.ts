/**
 * Streams and refused attempts added up: one group for each source, alias, port and end that saw them, however many they are. So whatever
 * agents keep can be judged, and what is told of it is bounded by who talks to whom. Pure.
 */
import { Schema } from "effect"
import { type Flow, FlowList, Refusal, Role, streamPair } from "../Flow.ts"
import { AliasId, NetworkId, RuleId, SandboxId } from "../Ids.ts"

/** That a group names. */
export const mostRules = 64

/** Streams that were let through. `targetId` is told of open ones only; `rules`: some of those that they rested on, the newest first. */
export const FlowGroup = Schema.TaggedStruct("FlowGroup", {
  ...streamPair, aliasId: AliasId, targetId: Schema.NullOr(SandboxId), seenBy: Schema.Array(Role), rules: Schema.Array(RuleId).check(Schema.isMaxLength(mostRules)),
  count: Schema.Int, firstAt: Schema.Finite, lastAt: Schema.Finite
})
export type FlowGroup = typeof FlowGroup.Type

export const GroupQuery = Schema.Struct({
  networkId: NetworkId,
  /** Every host counts by its own clock. */
  withinMs: Schema.Finite,
  /** Only streams that are open, apart by where they lead to; and no refusals. */
  open: Schema.Boolean
})
export type GroupQuery = typeof GroupQuery.Type

/** So many groups of streams, and of refusals, one agent tells: those that stand for the most. */
export const mostGroups = 2000

const counts = Schema.Struct({ flows: Schema.Int, refusals: Schema.Int })

/** `left`: how many streams and attempts are in groups that are not told. */
export const GroupAnswer = Schema.Struct({ groups: Schema.Array(FlowGroup), refusals: Schema.Array(Refusal), left: counts, lost: Schema.Int })
export type GroupAnswer = typeof GroupAnswer.Type

/** What the agents of a network tell together. */
export interface FlowTotals extends Omit<GroupAnswer, "lost"> { readonly agents: FlowList["agents"] }

export const groupOf = ({ networkId, sourceId, source, alias, aliasId, port, targetId, seenBy, rules, openedAt }: Flow): FlowGroup => ({
  _tag: "FlowGroup", networkId, sourceId, source, alias, aliasId, port, targetId, seenBy, rules: rules.slice(0, mostRules), count: 1, firstAt: openedAt, lastAt: openedAt
})

const together = (known: FlowGroup, more: FlowGroup): FlowGroup => ({
  ...(known.lastAt > more.lastAt ? known : more), rules: [...new Set([...known.rules, ...more.rules])].slice(0, mostRules),
  count: known.count + more.count, firstAt: Math.min(known.firstAt, more.firstAt), lastAt: Math.max(known.lastAt, more.lastAt)
})

const pairOf = ({ sourceId, aliasId, port, targetId }: FlowGroup): string => [sourceId, aliasId, port, targetId].join(" ")

/** One more, to those of its kind. */
export const addTo = (groups: Map<string, FlowGroup>, more: FlowGroup): void => {
  const key = `${pairOf(more)} ${more.seenBy.join()}`, known = groups.get(key)
  groups.set(key, known === undefined ? more : together(known, more))
}

/** Of several agents: what one saw leave another saw arrive, so that the end which saw more of them counts. */
export const bothEnds = (groups: ReadonlyArray<FlowGroup>): ReadonlyArray<FlowGroup> => {
  const pairs = new Map<string, { readonly group: FlowGroup; readonly source: number; readonly target: number }>()
  for (const group of groups) {
    const key = pairOf(group), known = pairs.get(key)
    const seen = (role: Role): number => group.seenBy.includes(role) ? group.count : 0
    pairs.set(key, {
      group: known === undefined ? group : together(known.group, group), source: (known?.source ?? 0) + seen("source"), target: (known?.target ?? 0) + seen("target")
    })
  }
  return [...pairs.values()].map(({ group, source, target }) => ({ ...group, count: Math.max(source, target) }))
}

/** At most so many, those that stand for the most, and what the others stand for. */
export const mostFrequent = <A extends { readonly count: number }>(groups: ReadonlyArray<A>, most: number) => {
  if (groups.length <= most) return { kept: groups, left: 0 }
  const byCount = groups.toSorted((a, b) => b.count - a.count)
  return { kept: byCount.slice(0, most), left: byCount.slice(most).reduce((sum, { count }) => sum + count, 0) }
}
