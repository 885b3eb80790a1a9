/** What a change would do, shown instead of making it. */
import { Effect } from "effect"
import { Flag } from "effect/cli"
import { countOf, type CutFlows } from "../../../../domain/CutFlows.ts"
import type { Rule } from "../../../../domain/Network.ts"
import { isEmpty, type PolicyDiff, type ReachChange } from "../../../../domain/PolicyDiff.ts"
import type { PolicyRule } from "../../../../domain/PolicyFile.ts"
import type { Proposal } from "../../../../protocol/http/PolicyApi.ts"
import { ControlApi } from "../../../ControlApi.ts"
import { printableLines } from "../../../output/printable.ts"
import { note, show } from "../../../output/view.ts"
import { noteGaps } from "../flows/noteGaps.ts"

export const dryRunFlag = Flag.Boolean("dry-run").pipe(Flag.withDescription("Show what it would change, and change nothing"), Flag.withoutNegation, Flag.withDefault(false))

const termsText = ({ expiresAt, comment }: Pick<Rule, "expiresAt" | "comment">): string => `${expiresAt === null ? "no end" : `until ${expiresAt}`}, ${comment ?? "no comment"}`
const ruleText = ({ from, to, ports, comment }: PolicyRule | Rule): string => `rule ${from} to ${to}:${ports}${comment ? `  # ${comment}` : ""}`
const pairText = ({ source, alias, port, target }: ReachChange): string => `${source} -> ${alias}:${port} in ${target}`
const connections = (count: number): string => count === 1 ? "1 open connection" : `${count} open connections`
const cutText = ({ source, alias, port, count }: CutFlows["cut"][number]): string => `${connections(count)} of ${source} to ${alias}:${port}`

const lines = ({ rules, pairs, flows }: PolicyDiff): ReadonlyArray<string> => [
  ...rules.added.map((rule) => `+ ${ruleText(rule)}`),
  ...rules.removed.map((rule) => `- ${ruleText(rule)}`),
  ...rules.changed.map(({ before, after }) => `~ rule ${after.from} to ${after.to}:${after.ports}: ${termsText(before)} -> ${termsText(after)}`),
  ...pairs.gained.map((pair) => `+ ${pairText(pair)}`),
  ...pairs.lost.map((pair) => `- ${pairText(pair)}`),
  ...flows.cut.map((group) => `- ${cutText(group)}`)
]

const summary = ({ network, version, rules, pairs, flows }: PolicyDiff): string =>
  `${network} at topology v${version}: rules ${rules.added.length} added, ${rules.removed.length} removed, ${rules.changed.length} changed, ${rules.unchanged} unchanged; ` +
  `reachability ${pairs.gained.length} gained, ${pairs.lost.length} lost; ` +
  `${flows.left > 0 ? "at least " : ""}${connections(countOf(flows))} would be reset`

export const showDiff = Effect.fnUntraced(function*(diff: PolicyDiff) {
  yield* show({
    document: diff,
    table: () => printableLines([summary(diff), ...lines(diff), ""].join("\n")),
    names: () => isEmpty(diff) ? [] : lines(diff)
  })
  if (diff.flows.left > 0) yield* note(`not looked at: up to ${connections(diff.flows.left)}, since some agent has too many sources, aliases and ports`)
  yield* noteGaps(diff.flows)
})

export const dryRun = Effect.fn("dryRun")(function*(network: string, proposal: Proposal) {
  const api = yield* ControlApi
  const diff = yield* api.call((client) => client.policy.diff({ params: { network }, payload: proposal }))
  yield* showDiff(diff)
  yield* note("dry run: nothing was changed")
})
