/** `gstacks mesh unpublish dev laptop-api` */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { LocalDaemon } from "../../LocalDaemon.ts"
import { patiently, show } from "../../output/view.ts"
import { network, reference } from "../../words.ts"

export const unpublish = Command.make("unpublish", { network, alias: reference("alias", "Alias that this machine publishes") }, Effect.fn(function*({ network, alias }) {
  yield* Effect.scoped(Effect.gen(function*() {
    const daemon = yield* (yield* LocalDaemon).needed(network)
    const ended = yield* daemon.unpublish(network, alias).pipe(patiently(`ending ${alias}`))
    yield* show({ document: ended, table: () => `${alias}.${network}.gstacks is not published any more\n`, names: () => [alias] })
  }))
})).pipe(
  Command.withDescription("End what mesh publish began, before its time: its connections are reset, and the rules that named it go with it"),
  Command.withExamples([{ command: "gstacks mesh unpublish dev laptop-api" }])
)
