/** `gstacks network metrics dev [alias]`: streams, refusals, bytes and times of each alias. */
import { Effect, Option } from "effect"
import { Argument, Command } from "effect/cli"
import { type AliasMetrics, ends, type Histogram, quantile } from "../../../domain/AliasMetrics.ts"
import { ControlApi } from "../../ControlApi.ts"
import type { Columns } from "../../output/table.ts"
import { note, showList } from "../../output/view.ts"
import { network, reference } from "../../words.ts"
import { size, span } from "./flows/columns.ts"

/** A bound of the histogram: the time itself is not known more closely. */
const under = (histogram: Histogram, share: number): string | undefined => {
  const bound = quantile(histogram, share)
  return bound === undefined ? undefined : bound === Infinity ? "> 2.5 s" : `< ${span(bound)}`
}

const failures = ends.filter((end) => end !== "eof")

const columns: Columns<AliasMetrics> = [
  ["ALIAS", (m) => m.alias], ["OPEN", (m) => m.open ?? 0], ["OPENED", (m) => m.opened ?? 0], ["ENDED", (m) => ends.reduce((sum, end) => sum + m.streams[end], 0)],
  ["BROKEN", (m) => failures.filter((end) => m.streams[end] > 0).map((end) => `${m.streams[end]} ${end}`).join(", ")], ["REFUSALS", (m) => m.refusals],
  ["SENT", (m) => size(m.bytesToTarget)], ["RECEIVED", (m) => size(m.bytesToSource)],
  ["CONNECT P50", (m) => under(m.connect, 0.5)], ["P99", (m) => under(m.connect, 0.99)], ["FIRST BYTE P50", (m) => under(m.firstByte, 0.5)], ["P99", (m) => under(m.firstByte, 0.99)]
]

export const metrics = Command.make("metrics", { network, alias: reference("alias", "Only this alias").pipe(Argument.optional) }, Effect.fn(function*({ alias, network }) {
  const api = yield* ControlApi
  const { agents, aliases } = yield* api.call((client) => client.networks.metrics({ params: { network } }))
  yield* Effect.forEach(agents, ({ agent, problem }) => problem === null ? Effect.void : note(`what ${agent} has counted is missing: ${problem}`), { discard: true })
  yield* showList({
    items: aliases.filter((one) => Option.match(alias, { onNone: () => true, onSome: (name) => one.alias === name || one.aliasId === name }) ),
    columns, name: ({ alias }) => alias, empty: `nothing was counted in network ${network} since its agents' start`, next: `gstacks network flows ${network}`
  })
})).pipe(
  Command.withDescription("Show streams, refusals, bytes and times of each alias, since the agents' start"),
  Command.withExamples([{ command: "gstacks network metrics dev" }, { command: "gstacks network metrics dev api" }])
)
