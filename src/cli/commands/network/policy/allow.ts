/** `gstacks network policy allow dev --from local --to api --port 8080` */
import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { selectorForms } from "../../../../domain/Selector.ts"
import { showChange } from "../../../Changes.ts"
import { ControlApi } from "../../../ControlApi.ts"
import { aliasFlag, network, portFlag, selectorFlag } from "../../../words.ts"

export const allow = Command.make("allow", {
  network,
  from: selectorFlag("from", `Source: ${selectorForms}`),
  to: aliasFlag("to", "Alias that may be reached"),
  port: portFlag.pipe(Flag.withDescription("Port of the alias"))
}, Effect.fn(function*({ network, from, to, port }) {
  const api = yield* ControlApi
  const { value, change } = yield* api.call((client) => client.networks.allow({ params: { network }, payload: { from, to, port } }))
  yield* showChange({ value, changes: [change], name: value.id, said: `rule ${value.id}: ${value.from} may reach ${value.to}:${value.port} in ${change.network}` })
})).pipe(
  Command.withDescription("Let a source reach an alias and port"),
  Command.withExamples([
    { command: "gstacks network policy allow dev --from sandbox:web --to api --port 8080" },
    { command: "gstacks network policy allow dev --from label:team=blue --to postgres --port 5432" }
  ])
)
