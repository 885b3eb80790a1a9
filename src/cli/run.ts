/** Runs one command line and answers with its exit code. Every failure ends here: what, why and the next command on stderr, with `--json` the problem document on stdout. */
import { Cause, Effect, Exit, Option } from "effect"
import { CliConfig, CliError, CliOutput, Command, GlobalFlag } from "effect/cli"
import { type ExitWith, failed, Failure, usage } from "./Failure.ts"
import { wantsJson } from "./GlobalFlags.ts"
import { printableLines } from "./output/printable.ts"
import { explain, presenter } from "./presenter.ts"
import { Shell } from "./Shell.ts"
import { version } from "./version.ts"

/** effect/cli's own flags that we offer. */
export const ownFlags = CliConfig.make({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] })
export const interrupted = 130

const report = ({ problem, exitCode, resultShown }: Failure) =>
  Effect.gen(function*() {
    const { args, err, out } = yield* Shell
    if (wantsJson(args) && resultShown !== true) yield* out(JSON.stringify(problem, null, 2) + "\n")
    yield* err(printableLines(`error: ${problem.detail}\n${problem.hint === "" ? "" : `next: ${problem.hint}\n`}`))
    return exitCode
  })

/** `exec` passes its program's exit code on, so all its own failures, a bad command line too, are 125. */
const isExec = (path: ReadonlyArray<string>): boolean => path.at(-1) === "exec"

const reportInvalid = ({ commandPath, errors }: CliError.ShowHelp) => {
  const help = `${commandPath.join(" ")} --help`
  if (errors.length === 0 && commandPath.length === 1) return Effect.succeed(0)
  const wrong = errors.length === 0 ? ["a command is needed"] : errors.map(explain)
  const { problem, exitCode } = usage(wrong.join("\nerror: "), help)
  return report(new Failure({ problem, exitCode: isExec(commandPath) ? 125 : exitCode }))
}

const reportDefect = (cause: Cause.Cause<unknown>) =>
  report(failed("internal", "An error in gstacks itself", Cause.pretty(cause), "report this with the command you ran"))

const isHandled = (error: unknown): error is Failure | ExitWith | CliError.CliError => typeof error === "object" && error !== null && "_tag" in error

/** `tree` with everything provided but what `Command.run` itself takes. */
export const run = <const Name extends string, Input, Context, E, R>(tree: Command.Command<Name, Input, Context, E, R>) =>
  Effect.gen(function*() {
    const { args } = yield* Shell
    const exit = yield* Command.runWith(tree, { version })(args).pipe(
      Effect.provideService(CliOutput.Presenter, yield* presenter),
      Effect.provideService(CliConfig.CliConfig, ownFlags),
      Effect.exit
    )
    if (Exit.isSuccess(exit)) return 0
    if (Cause.hasInterruptsOnly(exit.cause)) return interrupted
    const error: unknown = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
    if (!isHandled(error)) return yield* reportDefect(exit.cause)
    switch (error._tag) {
      case "Failure": return yield* report(error)
      case "ExitWith": return error.code
      case "ShowHelp": return yield* reportInvalid(error)
      default: return yield* reportDefect(exit.cause)
    }
  })
