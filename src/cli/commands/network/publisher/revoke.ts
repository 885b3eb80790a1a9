/** `gstacks network publisher revoke dev ann` */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { showChange } from "../../../Changes.ts"
import { ControlApi } from "../../../ControlApi.ts"
import { network, user } from "../../../words.ts"

export const revoke = Command.make("revoke", { network, user }, Effect.fn(function*({ network, user }) {
  const api = yield* ControlApi
  const { value, change } = yield* api.call((client) => client.publishers.revoke({ params: { network, user } }))
  yield* showChange({ value, changes: [change], name: value.user, said: `${value.user} may not publish in ${change.network} any more, and what was published has ended` })
})).pipe(
  Command.withDescription("Take that right away; what the user publishes ends at once, with the rules that named it"),
  Command.withExamples([{ command: "gstacks network publisher revoke dev ann" }])
)
