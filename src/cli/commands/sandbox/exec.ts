/**
 * `gstacks sandbox exec <sandbox> -- <command...>`: over the agent's Unix socket, with the three streams, signals and the
 * exit code passed on. Everything that fails on the way there is 125.
 */
import { Deferred, Effect, Option, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import { ExitWith, failed, Failure } from "../../Failure.ts"
import { LocalAgent, type Place } from "../../LocalAgent.ts"
import { Shell } from "../../Shell.ts"
import { envFlags, program, sandbox } from "../../words.ts"
import { programWords } from "./program.ts"

const ownFailure = 125

/** Standard input to the program until either ends. That the program stopped reading is no failure. */
const pump = (client: Place["client"], execId: string) =>
  Effect.gen(function*() {
    const { read } = yield* Shell
    for (let bytes = yield* read; ; bytes = yield* read) {
      yield* client.input(execId, bytes)
      if (bytes === null) return
    }
  }).pipe(Effect.ignore)

const converse = ({ client, sandbox }: Place, command: readonly [string, ...Array<string>], env: Readonly<Record<string, string>>, stdin: boolean) =>
  Effect.gen(function*() {
    const { err, onSignal, out } = yield* Shell
    const started = yield* Deferred.make<string>()
    yield* Effect.forkScoped(Effect.flatMap(Deferred.await(started), (execId) =>
      Effect.andThen(onSignal((signal) => Effect.ignore(client.signal(execId, signal))), stdin ? pump(client, execId) : Effect.void)))
    const code = yield* client.exec({ sandbox, command, env, stdin }).pipe(
      Stream.mapEffect((event) => {
        switch (event._tag) {
          case "Started": return Effect.as(Deferred.succeed(started, event.execId), Option.none())
          case "Stdout": return Effect.as(out(event.bytes), Option.none())
          case "Stderr": return Effect.as(err(event.bytes), Option.none())
          case "Exited": return Effect.succeed(Option.some(event.code))
        }
      }),
      Stream.filter(Option.isSome), Stream.runHead
    )
    if (Option.isNone(code)) return yield* failed("exec-lost", "The program's end is unknown", "the agent ended the conversation before the program ended", "gstacks sandbox show " + sandbox)
    return code.value.value
  })

export const exec = Command.make("exec", {
  sandbox, env: envFlags,
  stdin: Flag.Boolean("stdin").pipe(Flag.withDescription("Pass standard input on; --no-stdin gives the program an empty one"), Flag.withDefault(true)),
  command: program
}, Effect.fn(function*({ sandbox, env, stdin, command }) {
  const code = yield* Effect.scoped(Effect.gen(function*() {
    const words = yield* programWords(command, `gstacks sandbox exec ${sandbox} -- <command...>`)
    const place = yield* (yield* LocalAgent).hosting(sandbox)
    return yield* converse(place, words, env, stdin)
  })).pipe(Effect.mapError(({ problem }) => new Failure({ problem, exitCode: ownFailure })))
  if (code !== 0) return yield* new ExitWith({ code })
})).pipe(
  Command.withDescription("Run a program in a sandbox and pass its exit code on; 125 when gstacks itself fails"),
  Command.withExamples([
    { command: "gstacks sandbox exec web -- curl -s http://api.dev.gstacks:8080" },
    { command: "tar c . | gstacks sandbox exec web -- tar x -C /tmp" }
  ])
)
