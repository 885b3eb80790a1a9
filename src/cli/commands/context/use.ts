/** `gstacks context use dev` */
import { Effect } from "effect"
import { Command } from "effect/cli"
import * as Contexts from "../../Contexts.ts"
import { show } from "../../output/view.ts"
import { reference } from "../../words.ts"

export const use = Command.make("use", { name: reference("name", "Context") }, Effect.fn(function*({ name }) {
  const stored = yield* Contexts.read
  const context = stored.contexts[name]
  if (context === undefined) return yield* Contexts.noContext(name)
  yield* Contexts.write({ ...stored, current: name })
  yield* show({ document: { current: name, url: context.url }, table: () => `context ${name} (${context.url}) is current\n`, names: () => [name] })
})).pipe(Command.withDescription("Choose the context that commands use"), Command.withExamples([{ command: "gstacks context use dev" }]))
