/**
 * `gstacks mesh exec dev -- npm test`: a command that sees the network as a sandbox would. Its exit code is passed on; what fails before it
 * runs is 125, and a network that is not joined 3.
 */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { ExitWith, Failure, usage } from "../../Failure.ts"
import { LocalDaemon } from "../../LocalDaemon.ts"
import { served } from "../../LocalDaemon/served.ts"
import { hold } from "../../Namespaces.ts"
import { Shell } from "../../Shell.ts"
import { network, program } from "../../words.ts"
import { programWords } from "../sandbox/program.ts"

const ownFailure = 125

export const exec = Command.make("exec", { network, command: program }, Effect.fn(function*({ network, command }) {
  const code = yield* Effect.scoped(Effect.gen(function*() {
    const words = yield* programWords(command, `gstacks mesh exec ${network} -- <command...>`)
    if (words[0].includes("=")) return yield* usage("a program's name cannot hold =", "run it through a shell: -- sh -c ...")
    const daemon = yield* (yield* LocalDaemon).needed(network)
    const held = yield* hold(yield* daemon.place(network), words)
    yield* served(daemon, { network, pid: held.pid, program: words[0] })
    yield* (yield* Shell).onSignal(held.signal)
    yield* held.release
    return yield* held.exit
  })).pipe(Effect.mapError(({ exitCode, problem }) => new Failure({ problem, exitCode: exitCode === 3 ? exitCode : ownFailure })))
  if (code !== 0) return yield* new ExitWith({ code })
})).pipe(
  Command.withDescription("Run a command that sees a network's names and addresses as a sandbox would, and pass its exit code on"),
  Command.withExamples([
    { command: "gstacks mesh exec dev -- npm test" },
    { command: "gstacks mesh exec dev -- curl -s http://api.dev.gstacks:8080" }
  ])
)
