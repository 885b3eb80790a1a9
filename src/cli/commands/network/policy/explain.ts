/** `gstacks network policy explain dev sandbox:web api:8080`: may it, why, what would allow it, who changed that last. Exit code 5 when denied. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import type { Explanation, RuleChange } from "../../../../domain/Reachability.ts"
import { ControlApi } from "../../../ControlApi.ts"
import { ExitWith } from "../../../Failure.ts"
import { properties, table } from "../../../output/table.ts"
import { show } from "../../../output/view.ts"
import { aliasAndPort, network, selector } from "../../../words.ts"
import { ruleColumns } from "./list.ts"

const words: Readonly<Record<RuleChange["action"], string>> = { "rule.allow": "allowed", "rule.revoke": "revoked", "rule.expire": "ended", "rule.end": "ended" }

const changeText = ({ rule, action, by, at, version, because }: RuleChange): string =>
  `${rule.from} to ${rule.to}:${rule.ports} was ${words[action]} by ${by} at ${at}${because === null ? "" : `, as ${because}`} (rule ${rule.id}, topology v${version})`

const page = ({ verdict, source, alias, port, network, version, reason, rules, wouldAllow, lastChange }: Explanation): string =>
  `${verdict}: ${source} -> ${alias}:${port} in ${network} (topology v${version})\n` + properties([
    ["Because", reason],
    ...(wouldAllow === null ? [] : [["Would allow it", wouldAllow] as const]),
    ["Last change", lastChange === null ? "no rule for it was ever made or revoked" : changeText(lastChange)]
  ]) + (rules.length === 0 ? "" : `\n${table(ruleColumns, rules)}`)

export const explain = Command.make("explain", { network, source: selector, target: aliasAndPort }, Effect.fn(function*({ network, source, target }) {
  const api = yield* ControlApi
  const explanation = yield* api.call((client) => client.networks.explain({ params: { network }, query: { source, ...target } }))
  yield* show({ document: explanation, table: () => page(explanation), names: () => [explanation.verdict] })
  if (explanation.verdict === "denied") return yield* new ExitWith({ code: 5 })
})).pipe(
  Command.withDescription("Say whether a source may reach an alias and port, and why; exit code 5 when denied"),
  Command.withExamples([{ command: "gstacks network policy explain dev sandbox:web api:8080" }])
)
