/** `gstacks network alias move dev api <sandbox>`: id, address and rules stay. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { showChange } from "../../../Changes.ts"
import { ControlApi } from "../../../ControlApi.ts"
import { network, reference, sandbox } from "../../../words.ts"
import { dryRun, dryRunFlag } from "../policy/dryRun.ts"

export const move = Command.make("move", { network, alias: reference("alias", "Alias, like api"), sandbox, dry: dryRunFlag }, Effect.fn(function*({ network, alias, sandbox, dry }) {
  if (dry) return yield* dryRun(network, { _tag: "MoveAlias", alias, sandbox })
  const api = yield* ControlApi
  const { value, change } = yield* api.call((client) => client.networks.moveAlias({ params: { network, alias }, payload: { sandbox } }))
  yield* showChange({ value, changes: [change], name: value.name, said: `alias ${value.name} moved to sandbox ${value.sandbox}; its address stays ${value.address}` })
})).pipe(
  Command.withDescription("Move an alias to another attached sandbox; address and rules stay"),
  Command.withExamples([{ command: "gstacks network alias move dev api backend-2" }])
)
