/** `gstacks mesh close <forward>` */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { LocalDaemon } from "../../LocalDaemon.ts"
import { show } from "../../output/view.ts"
import { reference } from "../../words.ts"
import { notFound } from "../../Failure.ts"

export const close = Command.make("close", { forward: reference("forward", "Id of the forward, from mesh status, or <network>/all") }, Effect.fn(function*({ forward }) {
  yield* Effect.scoped(Effect.gen(function*() {
    const daemon = yield* (yield* LocalDaemon).running
    if (daemon === undefined) return yield* notFound("no-forward", `there is no forward ${forward}: this machine has joined no network`, "gstacks mesh status")
    const closed = yield* daemon.unforward(forward)
    yield* show({ document: closed, table: () => closed.map(({ alias, listen, port }) => `closed ${listen} -> ${alias}:${port}\n`).join(""), names: () => closed.map(({ id }) => id) })
  }))
})).pipe(
  Command.withDescription("Close a forward that was left in the background"),
  Command.withExamples([{ command: "gstacks mesh close dev/api:8080/1" }, { command: "gstacks mesh close dev/all" }])
)
