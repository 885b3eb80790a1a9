/** `gstacks network detach dev <sandbox>` */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { showChange } from "../../Changes.ts"
import { confirm } from "../../confirm.ts"
import { ControlApi } from "../../ControlApi.ts"
import { network, sandbox } from "../../words.ts"
import { dryRun, dryRunFlag } from "./policy/dryRun.ts"

export const detach = Command.make("detach", { network, sandbox, dry: dryRunFlag }, Effect.fn(function*({ network, sandbox, dry }) {
  if (dry) return yield* dryRun(network, { _tag: "Detach", sandbox })
  yield* confirm(`this detaches sandbox ${sandbox} from ${network} and removes its aliases there, with their rules`, `gstacks network detach ${network} ${sandbox}`)
  const api = yield* ControlApi
  const { value, change } = yield* api.call((client) => client.networks.detach({ params: { network, sandbox } }))
  yield* showChange({
    value, changes: [change], name: value.sandbox,
    said: `sandbox ${value.sandbox} detached from ${change.network}${value.aliases.length === 0 ? "" : `; removed: ${value.aliases.join(", ")}`}`
  })
})).pipe(
  Command.withDescription("Detach a sandbox; its aliases in the network go with it"),
  Command.withExamples([{ command: "gstacks network detach dev backend" }])
)
