/** `gstacks agent remove host-1`: its credential ends; it must enrol again. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { confirm } from "../../confirm.ts"
import { ControlApi } from "../../ControlApi.ts"
import { show } from "../../output/view.ts"
import { reference } from "../../words.ts"

export const remove = Command.make("remove", { agent: reference("agent", "Agent, by name or id") }, Effect.fn(function*({ agent }) {
  yield* confirm(`this voids the credential of agent ${agent}, which has to enrol again`, `gstacks agent remove ${agent}`)
  const api = yield* ControlApi
  const gone = yield* api.call((client) => client.agents.remove({ params: { agent } }))
  yield* show({ document: gone, table: () => `agent ${gone.name} removed; its credential is void\n`, names: () => [gone.name] })
})).pipe(
  Command.withDescription("Remove an agent that hosts no sandbox; its credential ends"),
  Command.withExamples([{ command: "gstacks agent remove host-1 --yes" }])
)
