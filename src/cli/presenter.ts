/** Help goes to stdout when it was asked for. A command line that is not valid gets a short message on stderr, never the help page. */
import { Effect } from "effect"
import type { CliError, CliOutput } from "effect/cli"
import { styleText } from "node:util"
import { helpPage } from "./output/help.ts"
import { Shell } from "./Shell.ts"

type Invalid = Exclude<CliError.CliError, CliError.ShowHelp>

const meant = (suggestions: ReadonlyArray<string>): string => suggestions.length === 0 ? "" : `; did you mean ${suggestions.join(" or ")}?`

/** One parse error in the words of this program. */
export const explain = (error: Invalid): string => {
  switch (error._tag) {
    case "UnrecognizedOption": return `there is no flag ${error.option}${meant(error.suggestions)}`
    case "UnknownSubcommand": return `there is no command ${[...error.parent ?? [], error.subcommand].join(" ")}${meant(error.suggestions)}`
    case "MissingOption": return `--${error.option} is needed`
    case "MissingArgument": return `<${error.argument}> is needed`
    case "UnexpectedArgument": return `unexpected: ${error.arguments.join(" ")}`
    case "InvalidValue": {
      const name = error.kind === "flag" ? `--${error.option}` : `<${error.option}>`
      return error.value === "" ? `${name} needs a value: ${error.expected}` : `${name} ${error.value} is not valid: expected ${error.expected}`
    }
    default: return error.message
  }
}

export const presenter = Effect.map(Shell, ({ colours, err, out }): CliOutput.Presenter => {
  const strong = colours ? (text: string) => styleText("bold", text) : (text: string) => text
  return {
    present: (event) => {
      switch (event._tag) {
        case "Version": return out(`${event.name} ${event.version}\n`)
        case "Help": return (event.reason === "Requested" || event.commandPath.length === 1 ? out : err)(helpPage(event.helpDoc, strong))
        case "InvalidInvocation": return Effect.void
      }
    }
  }
})
