/** `gstacks network publisher allow dev ann` */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { showChange } from "../../../Changes.ts"
import { ControlApi } from "../../../ControlApi.ts"
import { network, user } from "../../../words.ts"

export const allow = Command.make("allow", { network, user }, Effect.fn(function*({ network, user }) {
  const api = yield* ControlApi
  const { value, change } = yield* api.call((client) => client.publishers.allow({ params: { network, user } }))
  yield* showChange({ value, changes: [change], name: value.user, said: `${value.user} may publish in ${change.network} from joined machines; rules say who reaches it` })
})).pipe(
  Command.withDescription("Let a user publish ports of joined machines; who reaches them is what rules say"),
  Command.withExamples([{ command: "gstacks network publisher allow dev ann" }])
)
