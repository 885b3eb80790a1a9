/** `gstacks debug actors [--agent host-1 | --control | --local] [--watch]`: the supervision trees with the state of every actor. */
import { Clock, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { look } from "../../ActorSource.ts"
import { format } from "../../GlobalFlags.ts"
import { show } from "../../output/view.ts"
import { Shell } from "../../Shell.ts"
import { qualified, scopeFlags, scopeOf } from "./scope.ts"
import { trees } from "./tree.ts"
import { watchLines, watchScreen } from "./watch.ts"

const watchFlag = Flag.Boolean("watch").pipe(
  Flag.withDescription("Go on: draw again on a terminal, print each change as a line elsewhere"), Flag.withoutNegation, Flag.withDefault(false)
)

export const actors = Command.make("actors", { ...scopeFlags, watch: watchFlag }, Effect.fn(function*({ watch, ...scope }) {
  const seen = yield* look(yield* scopeOf(scope))
  const { screen } = yield* Shell
  if (watch) return yield* screen !== null && (yield* format) === "table" ? watchScreen(seen, screen) : watchLines(seen)
  const now = yield* Clock.currentTimeMillis
  yield* show({
    document: seen.processes,
    table: () => trees(seen.processes, now),
    names: () => seen.processes.flatMap(({ agent, actors }) => actors.map(({ address }) => qualified(agent, address)))
  })
})).pipe(
  Command.withDescription("Show the supervision trees of the cluster, and the state of every actor"),
  Command.withExamples([{ command: "gstacks debug actors --watch" }, { command: "gstacks debug actors --agent host-1" }, { command: "gstacks debug actors --local" }])
)
