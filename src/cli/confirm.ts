/** Before something is removed: ask a person, or need `--yes`. */
import { Effect } from "effect"
import { declined, needsYes } from "./Failure.ts"
import { Yes } from "./GlobalFlags.ts"
import { Shell } from "./Shell.ts"

/** `what` is a sentence without its end; `command` is what to run with `--yes` instead. */
export const confirm = (what: string, command: string) =>
  Effect.gen(function*() {
    if (yield* Yes) return
    const { ask, interactive } = yield* Shell
    if (!interactive) return yield* needsYes(what, command)
    const answer = yield* ask(`${what[0]!.toUpperCase()}${what.slice(1)}. Go on? [y/N] `)
    if (!/^y(es)?$/i.test(answer.trim())) return yield* declined(what)
  })
