/** `gstacks sandbox logs web [--follow]` */
import { Effect, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import { ControlApi } from "../../ControlApi.ts"
import { LocalAgent } from "../../LocalAgent.ts"
import { note, show } from "../../output/view.ts"
import { Shell } from "../../Shell.ts"
import { sandbox } from "../../words.ts"

const follow = (sandbox: string) =>
  Effect.scoped(Effect.gen(function*() {
    const { out } = yield* Shell
    const place = yield* (yield* LocalAgent).hosting(sandbox)
    yield* Stream.runForEach(place.client.logs(place.sandbox, true), out)
  }))

export const logs = Command.make("logs", {
  sandbox,
  follow: Flag.Boolean("follow").pipe(Flag.withAlias("f"), Flag.withDescription("Go on with what comes, from the agent on this machine"), Flag.withoutNegation, Flag.withDefault(false))
}, Effect.fn(function*(input) {
  if (input.follow) return yield* follow(input.sandbox)
  const api = yield* ControlApi
  const { text, truncated } = yield* api.call((client) => client.sandboxes.logs({ params: { sandbox: input.sandbox } }))
  if (truncated) yield* note("older output was left out")
  yield* show({ document: { text, truncated }, table: () => text, names: () => [text] })
})).pipe(
  Command.withDescription("Show the output of a sandbox's program"),
  Command.withExamples([{ command: "gstacks sandbox logs web" }, { command: "gstacks sandbox logs web --follow" }])
)
