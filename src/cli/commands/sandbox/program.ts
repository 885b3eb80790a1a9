/** The program of `sandbox run`, `sandbox exec` and `mesh exec`: the words after `--`, untouched, so that its flags are never taken for ours. */
import { Effect } from "effect"
import { type Failure, usage } from "../../Failure.ts"
import { Shell } from "../../Shell.ts"

export const programWords = (parsed: ReadonlyArray<string>, example: string): Effect.Effect<readonly [string, ...Array<string>], Failure, Shell> =>
  Effect.gen(function*() {
    const { args } = yield* Shell
    const separator = args.indexOf("--")
    const [first, ...rest] = separator < 0 ? [] : args.slice(separator + 1)
    if (first === undefined) return yield* usage("there is no program to run: it comes after --", example)
    if (parsed.length !== rest.length + 1) return yield* usage(`${parsed[0]} is before --, the program comes after it`, example)
    return [first, ...rest]
  })
