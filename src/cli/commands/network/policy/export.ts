/** `gstacks network policy export dev > policy.yaml`: the rules as a file that `policy apply` takes. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { ControlApi } from "../../../ControlApi.ts"
import { show } from "../../../output/view.ts"
import { yaml } from "../../../output/yaml.ts"
import { network } from "../../../words.ts"

export const exportPolicy = Command.make("export", { network }, Effect.fn(function*({ network }) {
  const api = yield* ControlApi
  const { version, ...file } = yield* api.call((client) => client.policy.show({ params: { network } }))
  yield* show({
    document: file,
    table: () => `# Rules of network ${file.network} at topology v${version}. Apply: gstacks network policy apply ${file.network} -f FILE\n${yaml(file)}`,
    names: () => file.rules.map(({ from, to, ports }) => `${from} ${to}:${ports}`)
  })
})).pipe(
  Command.withDescription("Print a network's rules as a file that policy apply takes"),
  Command.withExamples([{ command: "gstacks network policy export dev > policy.yaml" }])
)
