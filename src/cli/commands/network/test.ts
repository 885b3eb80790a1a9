/** `gstacks network test dev sandbox:web api:8080 [--compare <run>]`: the five checks, each shown as it finishes, and a verdict. Exit code 5 when denied, 1 when unreachable. */
import { Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import type { CheckResult, DiagnosticRun } from "../../../domain/Diagnostic.ts"
import { ControlApi } from "../../ControlApi.ts"
import { format } from "../../GlobalFlags.ts"
import { note, patiently, show } from "../../output/view.ts"
import { Shell } from "../../Shell.ts"
import { aliasAndPort, network, selector } from "../../words.ts"
import { endText, exitAs, resultText, showComparison } from "./tests/text.ts"

const waitMs = 10_000

/** Until the run is over; each result is told as it comes. Interrupted, it cancels the run. */
const follow = Effect.fnUntraced(function*<R>(started: DiagnosticRun, onResult: (result: CheckResult) => Effect.Effect<void, never, R>) {
  const api = yield* ControlApi
  const params = { network: started.network, run: started.id }
  const cancel = Effect.ignore(api.call((client) => client.networks.cancelTest({ params }), { timeoutMs: 2_000 }))
  return yield* Effect.gen(function*() {
    let told = 0
    for (let run = started; ; run = yield* api.call((client) => client.networks.testRun({ params, query: { after: told, waitMs } }), { timeoutMs: waitMs + 15_000 })) {
      yield* Effect.forEach(run.checks.slice(told), onResult, { discard: true })
      told = run.checks.length
      if (run.state !== "running") return run
    }
  }).pipe(patiently("waiting for the agents' checks"), Effect.onInterrupt(() => cancel))
})

const compareFlag = Flag.String("compare").pipe(Flag.withMetavar("<run>"), Flag.withDescription("Also say what is different from an earlier run, from network tests list"), Flag.optional)

export const test = Command.make("test", { network, source: selector, target: aliasAndPort, compare: compareFlag }, Effect.fn(function*({ network, source, target, compare }) {
  const api = yield* ControlApi
  const { out } = yield* Shell
  const shape = yield* format
  const before = yield* Effect.transposeOption(Option.map(compare, (run) => api.call((client) => client.networks.testRun({ params: { network, run }, query: {} }))))
  const started = yield* api.call((client) => client.networks.test({ params: { network }, query: {}, payload: { source, ...target } }))
  if (shape === "table") yield* note(`testing ${source} -> ${target.alias}:${target.port} in ${started.network}, topology v${started.version} (${started.id})`)
  const run = yield* follow(started, (result) => shape === "table" ? out(resultText(result)) : shape === "jsonl" ? out(`${JSON.stringify(result)}\n`) : Effect.void)
  if (shape === "table") yield* out(endText(run))
  if (Option.isSome(before)) yield* showComparison(before.value, run)
  else if (shape !== "table") yield* show({ document: run, table: () => "", names: () => [run.verdict ?? run.state] })
  return yield* exitAs(run)
})).pipe(
  Command.withDescription("Run the five checks for a source, alias and port; exit code 5 when denied"),
  Command.withExamples([
    { command: "gstacks network test dev sandbox:web api:8080" }, { command: "gstacks network test dev local api:8080" },
    { command: "gstacks network test dev web api:8080 --compare run_06fq2v1m3r8k5h9t0w" }
  ])
)
