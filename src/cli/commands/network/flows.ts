/** `gstacks network flows dev [--follow] [--denied]`: the streams of a network, or the attempts that were refused, as the agents wrote them down. */
import { Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { mostFlows } from "../../../domain/Flow.ts"
import { ControlApi } from "../../ControlApi.ts"
import { table } from "../../output/table.ts"
import { note, show } from "../../output/view.ts"
import { durationFlag, limitFlag, network, sourceFlag, targetFlag } from "../../words.ts"
import { flowColumns, refusalColumns } from "./flows/columns.ts"
import { follow } from "./flows/follow.ts"
import { cutNotes, noteGaps } from "./flows/noteGaps.ts"

const hourMs = 3_600_000

export const flows = Command.make("flows", {
  network,
  follow: Flag.Boolean("follow").pipe(Flag.withAlias("f"), Flag.withDescription("Go on with what comes"), Flag.withoutNegation, Flag.withDefault(false)),
  denied: Flag.Boolean("denied").pipe(Flag.withDescription("What was refused, instead of streams"), Flag.withoutNegation, Flag.withDefault(false)),
  since: durationFlag("since", "How far back", "1h").pipe(Flag.optional),
  source: sourceFlag.pipe(Flag.optional),
  to: targetFlag.pipe(Flag.optional),
  limit: limitFlag(mostFlows, 100)
}, Effect.fn(function*({ network, denied, limit, since, source, to, ...input }) {
  const api = yield* ControlApi
  const query = {
    limit, ...(denied ? { denied: "true" as const } : {}), ...Option.match(source, { onNone: () => ({}), onSome: (source) => ({ source }) }), ...Option.getOrElse(to, () => ({}))
  }
  const ask = (withinMs: number, apart = false) => api.call((client) => client.networks.flows({ params: { network }, query: { ...query, withinMs, ...(apart ? { apart: "true" as const } : {}) } }))
  if (input.follow) return yield* follow((withinMs) => ask(withinMs, denied), { denied, limit, since: Option.getOrUndefined(since) })
  const list = yield* ask(Option.getOrElse(since, () => hourMs))
  yield* noteGaps(list)
  yield* Effect.forEach(cutNotes(list.cut, limit), note, { discard: true })
  const { flows, refusals } = list
  yield* show({
    document: list, table: () => denied ? table(refusalColumns, refusals) : table(flowColumns, flows),
    names: () => denied ? refusals.map(({ source, alias, port }) => `${source} ${alias}:${port}`) : flows.map(({ id }) => id)
  })
})).pipe(
  Command.withDescription("List the streams of a network, who, how much and how they ended, or what was refused"),
  Command.withExamples([
    { command: "gstacks network flows dev --since 10m --to api:8080" }, { command: "gstacks network flows dev --denied" }, { command: "gstacks network flows dev --follow --source web" }
  ])
)
