/** `gstacks network alias remove dev worker [--port 9090]` */
import { Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { showChange } from "../../../Changes.ts"
import { ControlApi } from "../../../ControlApi.ts"
import { network, portFlag, reference } from "../../../words.ts"
import { dryRun, dryRunFlag } from "../policy/dryRun.ts"

export const remove = Command.make("remove", {
  network, alias: reference("alias", "Alias, like worker"),
  port: portFlag.pipe(Flag.withDescription("Remove this port only, with the rules that name it"), Flag.optional),
  dry: dryRunFlag
}, Effect.fn(function*({ network, alias, port, dry }) {
  const only = Option.match(port, { onNone: () => ({}), onSome: (port) => ({ port }) })
  if (dry) return yield* dryRun(network, { _tag: "RemoveAlias", alias, ...only })
  const api = yield* ControlApi
  const { value, change } = yield* api.call((client) =>
    client.networks.removeAlias({ params: { network, alias }, query: only }))
  yield* showChange({
    value, changes: [change], name: value.name,
    said: Option.match(port, { onNone: () => `alias ${value.name} removed from ${change.network}`, onSome: (port) => `port ${port} removed from alias ${value.name}` })
  })
})).pipe(
  Command.withDescription("Remove an alias, or one port of it, with the rules that name it"),
  Command.withExamples([{ command: "gstacks network alias remove dev worker" }, { command: "gstacks network alias remove dev api --port 8080" }])
)
