/** `gstacks debug actor <address> [--agent host-1 | --control | --local] [--follow] [--format mermaid]` */
import { Clock, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import type { ActorDetail } from "../../../domain/Sight.ts"
import { chartMermaid } from "../../../domain/Sight/mermaid.ts"
import type { Place } from "../../../domain/Sight/Place.ts"
import { type ActorSource, type ProcessName } from "../../ActorSource.ts"
import { failed } from "../../Failure.ts"
import { format } from "../../GlobalFlags.ts"
import { show } from "../../output/view.ts"
import { Shell } from "../../Shell.ts"
import { reference } from "../../words.ts"
import { detailText, labelsOf } from "./detail.ts"
import { entryLine } from "./entries.ts"
import { follow, noteAnother, noteAway, position } from "./follow.ts"
import { findActor, qualified, scopeFlags, scopeOf } from "./scope.ts"

const followFlag = Flag.Boolean("follow").pipe(Flag.withDescription("Go on: print each event as it comes"), Flag.withoutNegation, Flag.withDefault(false))
const formatFlag = Flag.Literals("format", ["mermaid"]).pipe(Flag.withDescription("Only the chart, as a mermaid diagram"), Flag.withMetavar("<mermaid>"), Flag.optional)

const diagram = ({ actor, chart, active }: ActorDetail) => chart === null
  ? failed("no-chart", "There is no chart", `${actor.address} is a supervisor: it has no states to draw`, `gstacks debug actor ${actor.address}`)
  : Effect.flatMap(Shell, ({ out }) => out(chartMermaid(chart, active)))

/** What comes after what was shown; `before` is where the journal stood when that was asked for. Events of the actors below it are theirs. */
const followActor = (source: ActorSource, process: ProcessName, detail: ActorDetail, before: Place) => Effect.gen(function*() {
  const { out } = yield* Shell
  const { actor: { address }, history } = detail
  const line = entryLine(process, labelsOf(detail))
  const asText = (yield* format) === "table"
  return yield* follow(source, process, {
    prefix: address,
    from: { ...before, after: Math.max(before.after, history.at(-1)?.seq ?? 0) },
    onAnother: noteAnother(process),
    onPage: ({ entries }) => out(entries.filter((entry) => entry.address === address).map((entry) => asText ? line(entry) : `${JSON.stringify(entry)}\n`).join("")),
    onAway: noteAway(process)
  })
})

export const actor = Command.make("actor", {
  address: reference("address", "Address, as debug actors -o name lists it, like host-1:agent/link"), ...scopeFlags, follow: followFlag, format: formatFlag
}, Effect.fn(function*({ address: typed, follow, format, ...scope }) {
  const { source, process, address } = yield* findActor(typed, yield* scopeOf(scope))
  const before = follow ? yield* position(source, process) : undefined
  const detail = yield* source.actor(process, address)
  if (Option.isSome(format)) return yield* diagram(detail)
  const now = yield* Clock.currentTimeMillis
  yield* show({ document: { agent: process, ...detail }, table: () => detailText(process, detail, now), names: () => [qualified(process, address)] })
  if (before !== undefined) return yield* followActor(source, process, detail, before)
})).pipe(
  Command.withDescription("Show one actor: its chart with the active states marked, what it would take now, what it did last"),
  Command.withExamples([{ command: "gstacks debug actor host-1:agent/link --follow" }, { command: "gstacks debug actor control/mesh/managedHeadscale --format mermaid" }])
)
