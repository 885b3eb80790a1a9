/** `gstacks network test dev local api:8080`: the five checks, per participating agent, and a verdict. Exit code 5 when denied, 1 when unreachable. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { describeCheck, type DiagnosticRun } from "../../../domain/Diagnostic.ts"
import { ControlApi } from "../../ControlApi.ts"
import { ExitWith } from "../../Failure.ts"
import { table } from "../../output/table.ts"
import { patiently, show } from "../../output/view.ts"
import { aliasAndPort, network, selector } from "../../words.ts"

const exitCodes: Readonly<Record<DiagnosticRun["verdict"], number>> = { reachable: 0, denied: 5, unreachable: 1 }

const verdict = ({ verdict, source, alias, port, rules }: DiagnosticRun): string => {
  const pair = `${source} -> ${alias}:${port}`
  const by = rules.length === 0 ? "" : ` (rule ${rules.join(", ")})`
  if (verdict === "denied") return `verdict: denied: no rule lets ${pair}`
  return verdict === "reachable" ? `verdict: reachable: ${pair}${by}` : `verdict: unreachable: ${pair} is allowed${by}, but a check failed`
}

const page = (run: DiagnosticRun): string =>
  table([
    ["CHECK", (c) => describeCheck[c.check]], ["RESULT", (c) => c.outcome], ["AGENT", (c) => c.agent],
    ["REASON", (c) => c.reason], ["NEXT", (c) => c.next]
  ], run.checks) + `\n${verdict(run)}\n`

export const test = Command.make("test", { network, source: selector, target: aliasAndPort }, Effect.fn(function*({ network, source, target }) {
  const api = yield* ControlApi
  const run = yield* api.call((client) => client.networks.test({ params: { network }, payload: { source, ...target } }), { timeoutMs: 60_000 }).pipe(patiently("waiting for the agents' checks"))
  yield* show({ document: run, table: () => page(run), names: () => [run.verdict] })
  if (exitCodes[run.verdict] !== 0) return yield* new ExitWith({ code: exitCodes[run.verdict] })
})).pipe(
  Command.withDescription("Run the five checks for a source, alias and port; exit code 5 when denied"),
  Command.withExamples([{ command: "gstacks network test dev sandbox:web api:8080" }, { command: "gstacks network test dev local api:8080" }])
)
