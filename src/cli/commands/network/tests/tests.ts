/** `gstacks network tests list|show|compare|cancel`: runs of `network test` that were made before, or go on. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { ControlApi } from "../../../ControlApi.ts"
import { show, showList } from "../../../output/view.ts"
import { network, reference } from "../../../words.ts"
import { exitAs, runText, showComparison } from "./text.ts"

const run = reference("run", "Run, from network tests list")

const read = (network: string, run: string) => Effect.flatMap(ControlApi, (api) => api.call((client) => client.networks.testRun({ params: { network, run }, query: {} })))

const list = Command.make("list", { network }, Effect.fn(function*({ network }) {
  const api = yield* ControlApi
  yield* showList({
    items: yield* api.call((client) => client.networks.tests({ params: { network } })),
    columns: [
      ["RUN", (r) => r.id], ["STARTED", (r) => r.startedAt], ["SOURCE", (r) => r.source], ["TARGET", (r) => `${r.alias}:${r.port}`],
      ["TOPOLOGY", (r) => `v${r.version}`], ["VERDICT", (r) => r.verdict ?? r.state]
    ],
    name: (r) => r.id, empty: `nothing was tested in ${network}`, next: `gstacks network test ${network} <source> <alias:port>`
  })
})).pipe(Command.withDescription("List the last hundred runs of network test, the newest first"), Command.withExamples([{ command: "gstacks network tests list dev" }]))

const showRun = Command.make("show", { network, run }, Effect.fn(function*({ network, run: id }) {
  const found = yield* read(network, id)
  yield* show({ document: found, table: () => runText(found), names: () => [found.verdict ?? found.state] })
  return yield* exitAs(found)
})).pipe(Command.withDescription("Show a run again; exit codes as network test"), Command.withExamples([{ command: "gstacks network tests show dev run_06fq2v1m3r8k5h9t0w" }]))

const compare = Command.make("compare", { network, before: reference("before", "The earlier run"), after: reference("after", "The later run") }, Effect.fn(function*({ network, before, after }) {
  yield* showComparison(yield* read(network, before), yield* read(network, after))
})).pipe(
  Command.withDescription("Say which checks are different between two runs, and how"),
  Command.withExamples([{ command: "gstacks network tests compare dev run_06fq2v1m3r8k5h9t0w run_06fq2wb7s1c3d5e8fg" }])
)

const cancel = Command.make("cancel", { network, run }, Effect.fn(function*({ network, run }) {
  const api = yield* ControlApi
  const ended = yield* api.call((client) => client.networks.cancelTest({ params: { network, run } }))
  yield* show({ document: ended, table: () => `run ${ended.id} is ${ended.state}\n`, names: () => [ended.id] })
})).pipe(Command.withDescription("End a run; what it has found stays"), Command.withExamples([{ command: "gstacks network tests cancel dev run_06fq2v1m3r8k5h9t0w" }]))

export const tests = Command.make("tests").pipe(
  Command.withDescription("Runs of network test: read again, compare, cancel"),
  Command.withSubcommands([list, showRun, compare, cancel])
)
