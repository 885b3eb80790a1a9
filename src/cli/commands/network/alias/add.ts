/** `gstacks network alias add dev <sandbox> worker --port 9090`; on an alias that the sandbox has, adds the ports. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { showChange } from "../../../Changes.ts"
import { ControlApi } from "../../../ControlApi.ts"
import { network, newAlias, portFlags, sandbox } from "../../../words.ts"

export const add = Command.make("add", {
  network, sandbox, alias: newAlias, port: portFlags
}, Effect.fn(function*({ network, sandbox, alias, port }) {
  const api = yield* ControlApi
  const { value, change } = yield* api.call((client) => client.networks.addAlias({ params: { network }, payload: { sandbox, alias, ports: port } }))
  yield* showChange({ value, changes: [change], name: value.name, said: `${value.hostName} is ${value.address}, port ${value.ports.join(", ")}, sandbox ${value.sandbox}` })
})).pipe(
  Command.withDescription("Publish an attached sandbox under an alias, or add ports to its alias"),
  Command.withExamples([{ command: "gstacks network alias add dev backend worker --port 9090" }])
)
