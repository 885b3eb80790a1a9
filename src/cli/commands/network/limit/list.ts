/** `gstacks network limit list dev` */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { type Exceeded, exceededOf, type Limit } from "../../../../domain/Limit.ts"
import { ControlApi } from "../../../ControlApi.ts"
import type { Columns } from "../../../output/table.ts"
import { showList } from "../../../output/view.ts"
import { network } from "../../../words.ts"
import { nameOf } from "./on.ts"

export type LimitInUse = Limit & Exceeded

/** Of those at the other ends, the few that matter. */
const mostShown = 3
const byText = ({ by }: LimitInUse): string | null => by.length === 0 ? null
  : [...by.slice(0, mostShown).map(({ count, name }) => `${name} ${count}`), ...by.length > mostShown ? [`${by.length - mostShown} more`] : []].join(", ")

export const limitColumns: Columns<LimitInUse> = [
  ["LIMIT ON", nameOf], ["STREAMS AT A TIME", (l) => l.maxStreams], ["NEW A SECOND", (l) => l.maxPerSecond], ["EXCEEDED", (l) => l.exceeded], ["BY", byText]
]

/** Agents are asked only where there is a limit. */
export const withExceeded = Effect.fnUntraced(function*(network: string, limits: ReadonlyArray<Limit>) {
  if (limits.length === 0) return []
  const { aliases } = yield* (yield* ControlApi).call((client) => client.networks.metrics({ params: { network } }))
  return limits.map((limit): LimitInUse => ({ ...limit, ...exceededOf(limit, aliases) }))
})

export const list = Command.make("list", { network }, Effect.fn(function*({ network }) {
  const api = yield* ControlApi
  const limits = yield* withExceeded(network, yield* api.call((client) => client.limits.list({ params: { network } })))
  yield* showList({
    items: limits, columns: limitColumns, name: nameOf,
    empty: `network ${network} has no limits`, next: `gstacks network limit set ${network} --alias <alias> --max-streams <count>`
  })
})).pipe(Command.withDescription("List a network's limits; EXCEEDED counts the streams to an alias, or of a source, that a limit reset since the agents' start, and BY says of whom, or to what"), Command.withExamples([{ command: "gstacks network limit list dev" }]))
