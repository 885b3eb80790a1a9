/** `gstacks mesh revoke dev <id>`: ends the join of somebody's machine, and every stream that rests on it. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { ControlApi } from "../../ControlApi.ts"
import { show } from "../../output/view.ts"
import { network, reference } from "../../words.ts"

export const revoke = Command.make("revoke", { network, id: reference("id", "Id of the joined machine, from network show") }, Effect.fn(function*({ network, id }) {
  const api = yield* ControlApi
  const ended = yield* api.call((client) => client.localNodes.end({ params: { network, localNode: id }, query: {} }))
  yield* show({ document: ended, table: () => `revoked ${ended.id} of ${ended.user} (${ended.machine}) in ${network}\n`, names: () => [ended.id] })
})).pipe(
  Command.withDescription("End the join of a developer's machine; its streams are reset"),
  Command.withExamples([{ command: "gstacks mesh revoke dev lcl_01j9x0k7q2c4m8f3za" }])
)
