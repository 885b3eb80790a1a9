/** `gstacks network delete dev [--cascade]` */
import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { showChange } from "../../Changes.ts"
import { confirm } from "../../confirm.ts"
import { ControlApi } from "../../ControlApi.ts"
import { network } from "../../words.ts"

export const deleteNetwork = Command.make("delete", {
  network,
  cascade: Flag.Boolean("cascade").pipe(Flag.withDescription("Also detach its sandboxes, with their aliases and rules"), Flag.withoutNegation, Flag.withDefault(false))
}, Effect.fn(function*({ network, cascade }) {
  yield* confirm(
    `this deletes network ${network}${cascade ? " with its attachments, aliases and rules" : ""}`,
    `gstacks network delete ${network}${cascade ? " --cascade" : ""}`
  )
  const api = yield* ControlApi
  const { value, change } = yield* api.call((client) => client.networks.remove({ params: { network }, query: cascade ? { cascade: "true" } : {} }))
  yield* showChange({ value, changes: [change], name: value.name, said: `network ${value.name} deleted` })
})).pipe(
  Command.withDescription("Delete a network; it must be empty, or --cascade"),
  Command.withExamples([{ command: "gstacks network delete dev --cascade --yes" }])
)
