/** `gstacks whoami`: the name of the token, and where it was used. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { ControlApi } from "../ControlApi.ts"
import { properties } from "../output/table.ts"
import { show } from "../output/view.ts"

export const whoami = Command.make("whoami", {}, Effect.fn(function*() {
  const api = yield* ControlApi
  const { url, context } = yield* api.target
  const { name } = yield* api.call((client) => client.tokens.whoami())
  yield* show({ document: { user: name, url, context }, table: () => properties([["User", name], ["Control plane", url], ["Context", context]]), names: () => [name] })
})).pipe(Command.withDescription("Show who you are to the control plane"), Command.withExamples([{ command: "gstacks whoami" }]))
