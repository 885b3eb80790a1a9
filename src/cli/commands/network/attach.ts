/** `gstacks network attach dev <sandbox> [--alias api --port 8080]` */
import { Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { showChange } from "../../Changes.ts"
import { ControlApi } from "../../ControlApi.ts"
import { usage } from "../../Failure.ts"
import { aliasFlag, network, portFlag, sandbox } from "../../words.ts"

export const attach = Command.make("attach", {
  network, sandbox,
  alias: aliasFlag("alias", "Publish the sandbox under this name; without it the sandbox is a client only").pipe(Flag.optional),
  port: portFlag.pipe(Flag.withDescription("Port to publish under the alias; may repeat"), Flag.atLeast(0), Flag.withDefault([]))
}, Effect.fn(function*({ network, sandbox, alias, port }) {
  const name = Option.getOrUndefined(alias)
  if (name === undefined && port.length > 0) return yield* usage("--port needs --alias: ports are published under a name", `gstacks network attach ${network} ${sandbox} --alias <alias> --port ${port[0]}`)
  if (name !== undefined && port.length === 0) return yield* usage(`--alias ${name} needs at least one --port`, `gstacks network attach ${network} ${sandbox} --alias ${name} --port <port>`)
  const api = yield* ControlApi
  const { value, change } = yield* api.call((client) =>
    client.networks.attach({ params: { network }, payload: { sandbox, ports: port, ...(name === undefined ? {} : { alias: name }) } }))
  yield* showChange({
    value, changes: [change], name: value.sandbox,
    said: `sandbox ${value.sandbox} attached to ${change.network}${name === undefined ? "" : ` as ${name}.${change.network}.gstacks, port ${port.join(", ")}`}`
  })
})).pipe(
  Command.withDescription("Attach a sandbox to a network, with or without an alias"),
  Command.withExamples([{ command: "gstacks network attach dev backend --alias api --port 8080" }, { command: "gstacks network attach dev web" }])
)
