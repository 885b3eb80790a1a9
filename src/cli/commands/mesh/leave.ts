/** `gstacks mesh leave dev` */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { LocalDaemon } from "../../LocalDaemon.ts"
import { note, patiently, show } from "../../output/view.ts"
import { network } from "../../words.ts"

export const leave = Command.make("leave", { network }, Effect.fn(function*({ network }) {
  yield* Effect.scoped(Effect.gen(function*() {
    const daemon = yield* (yield* LocalDaemon).needed(network)
    const commands = (yield* daemon.status).commands.filter((command) => command.network === network)
    const left = yield* daemon.leave(network).pipe(patiently(`leaving ${network}`))
    yield* show({ document: left, table: () => `left ${network}; its forwards are closed, and nothing is published in it\n`, names: () => [network] })
    if (commands.length > 0) yield* note(`still running, and refused from now on: ${commands.map(({ pid, program }) => `${program} (${pid})`).join(", ")}`)
  }))
})).pipe(
  Command.withDescription("Leave a network: its forwards are closed, its commands are refused, what it publishes ends, and nothing of it stays on this machine"),
  Command.withExamples([{ command: "gstacks mesh leave dev" }])
)
