/** `gstacks login [--url <url>] [--context <name>]`: checks a user token and keeps it in a context, which becomes the current one. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import * as Contexts from "../Contexts.ts"
import { ControlApi } from "../ControlApi.ts"
import { usage } from "../Failure.ts"
import { show } from "../output/view.ts"
import { piped } from "../piped.ts"
import { Shell } from "../Shell.ts"

const maxTokenBytes = 4096

const askToken = (url: string) =>
  Effect.gen(function*() {
    const { ask, interactive } = yield* Shell
    const token = (yield* interactive ? ask(`User token for ${url}: `, { hidden: true }) : piped(maxTokenBytes)).trim()
    if (token === "" || token.length > maxTokenBytes || /\s/.test(token)) return yield* usage("no token was given", "give it on standard input, in GSTACKS_TOKEN, or by --token")
    return token
  })

export const login = Command.make("login", {}, Effect.fn(function*() {
  const { callAt } = yield* ControlApi
  const { stored, name = "default" } = yield* Contexts.chosenName
  const before = stored.contexts[name]
  /** The token that the context holds is the one to be replaced. */
  const target = yield* Contexts.targetWith(name, before === undefined ? undefined : { ...before, token: "" })
  const { url } = target
  const token = target.token || (yield* askToken(url))
  const self = yield* callAt({ ...target, token }, (client) => client.tokens.whoami())
  const kept = before?.url === url ? before : {}
  yield* Contexts.write({ current: name, contexts: { ...stored.contexts, [name]: { ...kept, url, token } } })
  yield* show({ document: { context: name, url, user: self.name }, table: () => `logged in to ${url} as ${self.name}; context ${name} is current\n`, names: () => [name] })
})).pipe(
  Command.withDescription("Check a user token and keep it; asks for it, or reads it from standard input"),
  Command.withExamples([{ command: "gstacks login --url https://control.example.com --context prod < token" }])
)
