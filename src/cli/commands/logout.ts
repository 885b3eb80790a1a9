/** `gstacks logout`: forgets the token of the current (or `--context`) context. The token itself stays valid. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import * as Contexts from "../Contexts.ts"
import { notFound } from "../Failure.ts"
import { show } from "../output/view.ts"

export const logout = Command.make("logout", {}, Effect.fn(function*() {
  const { stored, name } = yield* Contexts.chosenName
  if (name === undefined) return yield* notFound("context-not-found", "you are not logged in", "gstacks login")
  const context = stored.contexts[name]
  if (context === undefined) return yield* Contexts.noContext(name)
  const { token: _, ...rest } = context
  yield* Contexts.write({ ...stored, contexts: { ...stored.contexts, [name]: rest } })
  yield* show({ document: { context: name, url: context.url }, table: () => `the token of context ${name} is forgotten\n`, names: () => [name] })
})).pipe(Command.withDescription("Forget the token of a context"), Command.withExamples([{ command: "gstacks logout" }]))
