/** `gstacks network limit clear dev --alias api` */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { showChange } from "../../../Changes.ts"
import { ControlApi } from "../../../ControlApi.ts"
import { network } from "../../../words.ts"
import { nameOf, on, onFlags } from "./on.ts"

export const clear = Command.make("clear", { network, ...onFlags }, Effect.fn(function*({ network, ...holder }) {
  const api = yield* ControlApi
  const query = yield* on(holder)
  const { value, change } = yield* api.call((client) => client.limits.clear({ params: { network }, query }))
  yield* showChange({ value, changes: [change], name: nameOf(value), said: `${nameOf(value)} in ${change.network} is not limited any more` })
})).pipe(
  Command.withDescription("Take a limit away"),
  Command.withExamples([{ command: "gstacks network limit clear dev --alias api" }, { command: "gstacks network limit clear dev --source web" }])
)
