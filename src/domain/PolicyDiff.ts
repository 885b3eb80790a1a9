/** What a change would do: which rules it adds and takes out, who may reach what then that may not now, or the reverse, and which open streams it would end. */
import { Schema } from "effect"
import { CutFlows } from "./CutFlows.ts"
import { NetworkName } from "./DnsLabel.ts"
import { Rule } from "./Network.ts"
import { PolicyRule, toPolicyRule } from "./PolicyFile.ts"
import { Reach } from "./Reachability.ts"

const { rules: _, ...pair } = Reach.fields
/** `target` is the sandbox that answers: a pair whose alias moves is lost with the one and gained with the other. */
export const ReachChange = Schema.Struct(pair)
export type ReachChange = typeof ReachChange.Type

export const PolicyDiff = Schema.Struct({
  network: NetworkName,
  /** What the change was compared with. */
  version: Schema.Int,
  rules: Schema.Struct({
    /** They have no ids yet. */
    added: Schema.Array(PolicyRule), removed: Schema.Array(Rule),
    /** Those with another end or comment. */
    changed: Schema.Array(Schema.Struct({ before: Rule, after: Rule })),
    unchanged: Schema.Int
  }),
  pairs: Schema.Struct({ gained: Schema.Array(ReachChange), lost: Schema.Array(ReachChange) }),
  flows: CutFlows
})
export type PolicyDiff = typeof PolicyDiff.Type

export const isEmpty = ({ rules, pairs }: PolicyDiff): boolean =>
  [rules.added, rules.removed, rules.changed, pairs.gained, pairs.lost].every((some) => some.length === 0)

export const diffRules = (before: ReadonlyArray<Rule>, after: ReadonlyArray<Rule>): PolicyDiff["rules"] => {
  const old = new Map(before.map((rule) => [rule.id, rule])), now = new Set(after.map((rule) => rule.id))
  const kept = after.flatMap((rule) => old.has(rule.id) ? [{ before: old.get(rule.id)!, after: rule }] : [])
  const changed = kept.filter(({ before, after }) => before.expiresAt !== after.expiresAt || before.comment !== after.comment)
  return {
    added: after.filter((rule) => !old.has(rule.id)).map(toPolicyRule), removed: before.filter((rule) => !now.has(rule.id)),
    changed, unchanged: kept.length - changed.length
  }
}

const keyOf = ({ source, sandboxId, alias, port, target }: Reach): string => `${sandboxId ?? source} ${alias}:${port} ${target}`

export const diffPairs = (before: ReadonlyArray<Reach>, after: ReadonlyArray<Reach>): PolicyDiff["pairs"] => {
  const had = new Set(before.map(keyOf)), has = new Set(after.map(keyOf))
  const withoutRules = ({ rules: _, ...change }: Reach): ReachChange => change
  return { gained: after.filter((reach) => !had.has(keyOf(reach))).map(withoutRules), lost: before.filter((reach) => !has.has(keyOf(reach))).map(withoutRules) }
}
