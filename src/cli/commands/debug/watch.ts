/** `debug actors --watch`: on a terminal the trees, drawn again when something changes; elsewhere each change from now on as a line. */
import { Clock, Effect, Latch, Option } from "effect"
import type { ProcessActors } from "../../../domain/Sight.ts"
import { eventLabels } from "../../../domain/Sight/eventLabels.ts"
import type { ActorSource, ProcessName } from "../../ActorSource.ts"
import { format } from "../../GlobalFlags.ts"
import { printable } from "../../output/printable.ts"
import { clear, fitting } from "../../output/screen.ts"
import { type Screen, Shell } from "../../Shell.ts"
import { entryLine, isNews } from "./entries.ts"
import { follow, noteAnother, noteAway } from "./follow.ts"
import { processName } from "./scope.ts"
import { trees } from "./tree.ts"

interface Seen { readonly source: ActorSource; readonly processes: ReadonlyArray<ProcessActors> }

export const watchLines = ({ source, processes }: Seen) => Effect.gen(function*() {
  const { out } = yield* Shell
  const asText = (yield* format) === "table"
  const one = Effect.fnUntraced(function*(process: ProcessName) {
    const line = entryLine(process, eventLabels(yield* Effect.orElseSucceed(source.charts(process), () => [])))
    return yield* follow(source, process, {
      onPage: ({ entries }) => out(entries.filter(isNews).map((entry) => asText ? line(entry) : `${JSON.stringify({ agent: process, entry })}\n`).join("")),
      onAnother: noteAnother(process), onAway: noteAway(process)
    })
  })
  yield* Effect.forEach(processes, ({ agent }) => one(agent), { concurrency: "unbounded", discard: true })
})

/** Ages grow on the screen by themselves; nothing is asked for that. */
const redrawMs = 1_000
/** Between two looks, however much happens. */
const pauseMs = 500

export const watchScreen = ({ source, processes }: Seen, screen: Effect.Effect<Screen>) => Effect.scoped(Effect.gen(function*() {
  const { out } = yield* Shell
  const changed = Latch.makeUnsafe()
  const followed = new Set<ProcessName>()
  let current = processes
  let trouble = ""
  let news = ""

  /** Also those that were not there at first. */
  const attend = Effect.suspend(() => Effect.forEach(current.filter(({ agent }) => !followed.has(agent)), ({ agent }) => {
    followed.add(agent)
    return Effect.forkScoped(follow(source, agent, {
      onAnother: Effect.gen(function*() {
        news = `${processName(agent)} was started anew at ${new Date(yield* Clock.currentTimeMillis).toISOString()}\n`
        yield* changed.open
      }),
      onPage: ({ entries }) => entries.length > 0 ? changed.open : Effect.void, onAway: () => Effect.asVoid(changed.open)
    }))
  }, { discard: true }))
  const look = Effect.match(source.processes, {
    onSuccess: (processes) => { current = processes; trouble = "" },
    onFailure: ({ problem }) => { trouble = `${printable(problem.detail)}; this is what was seen last\n` }
  })
  const draw = Effect.gen(function*() {
    yield* out(fitting(trouble + news + trees(current, yield* Clock.currentTimeMillis), yield* screen))
  })

  yield* out(clear)
  for (;;) {
    yield* attend
    yield* draw
    if (Option.isNone(yield* Effect.timeoutOption(changed.await, redrawMs))) continue
    yield* changed.close
    yield* look
    yield* draw
    yield* Effect.sleep(pauseMs)
  }
}))
