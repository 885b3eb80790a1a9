/**
 * Flows as they open and end, or refusals as they are written down, a line each: what is recent is asked for every second, and what was
 * shown is not shown again. Agents that do not answer are named once for each time, and so is what came too fast to be told.
 */
import { Effect } from "effect"
import { type Cut, cutKindOf, type Flow, type FlowList, type Refusal } from "../../../../domain/Flow.ts"
import type { Failure } from "../../../Failure.ts"
import { format } from "../../../GlobalFlags.ts"
import { type Columns, table } from "../../../output/table.ts"
import { note } from "../../../output/view.ts"
import { Shell } from "../../../Shell.ts"
import { flowColumns, refusalColumns } from "./columns.ts"
import { cutNotes } from "./noteGaps.ts"

const everyMs = 1_000
/** An agent may be slow to answer, or to write down. */
const recentMs = 15_000
/** Questions for which something is remembered that is no longer told. */
const rememberedFor = 60

/** What was not there at the last questions. */
class News {
  readonly #seen = new Map<string, number>()
  #question = 0
  of<A>(items: ReadonlyArray<A>, keyOf: (item: A) => string): ReadonlyArray<A> {
    this.#question++
    const fresh = items.filter((item) => !this.#seen.has(keyOf(item)))
    for (const item of items) this.#seen.set(keyOf(item), this.#question)
    for (const [key, at] of this.#seen) if (this.#question - at > rememberedFor) this.#seen.delete(key)
    return fresh
  }
}

const flowKey = ({ closedAt, id }: Flow): string => `${id} ${closedAt === null ? "open" : "ended"}`
const refusalKey = ({ alias, by, firstAt, lastAt, port, sourceId }: Refusal): string => [sourceId, alias, port, by, firstAt, lastAt].join(" ")
const keyOf = (record: Flow | Refusal): string => record._tag === "Refusal" ? refusalKey(record) : flowKey(record)

/** That of `cut` of which nothing was known before: what is between may have come and gone unseen. */
const unseen = (cut: Cut, records: ReadonlyArray<Flow | Refusal>, fresh: ReadonlySet<Flow | Refusal>): Cut => {
  const isUnseen = (kind: keyof Cut): boolean => cut[kind] && records.every((record) => cutKindOf(record) !== kind || fresh.has(record))
  return { open: isUnseen("open"), ended: isUnseen("ended"), refusals: isUnseen("refusals") }
}

/** No header, and cells as wide as they are: nobody knows what comes. */
const lines = <A>(columns: Columns<A>, items: ReadonlyArray<A>): string => items.map((item) => table(columns, [item]).split("\n")[1]!.replace(/ {2,}/g, "  ")).map((line) => `${line}\n`).join("")

interface Wanted { readonly denied: boolean; readonly limit: number; readonly since: number | undefined }

export const follow = Effect.fnUntraced(function*(ask: (withinMs: number) => Effect.Effect<FlowList, Failure>, { denied, limit, since }: Wanted) {
  const { out } = yield* Shell
  const asText = (yield* format) === "table"
  const shown = new News(), silent = new News()
  const print = <A>(columns: Columns<A>, items: ReadonlyArray<A>) => items.length === 0 ? Effect.void
    : out(asText ? lines(columns, items) : items.map((item) => `${JSON.stringify(item)}\n`).join(""))
  const complain = (problems: ReadonlyArray<string>) => Effect.forEach(silent.of(problems, (problem) => problem), note, { discard: true })

  const tell = Effect.fnUntraced(function*({ agents, cut, flows, refusals }: FlowList) {
    const records = denied ? refusals : flows
    const fresh = new Set(shown.of<Flow | Refusal>(records, keyOf))
    yield* complain([...agents.flatMap(({ problem }) => problem === null ? [] : `${problem} Asking again.`), ...cutNotes(unseen(cut, records, fresh), limit)])
    yield* denied ? print(refusalColumns, refusals.filter((refusal) => fresh.has(refusal))) : print(flowColumns, flows.filter((flow) => fresh.has(flow)))
  })

  for (let withinMs = since ?? recentMs; ; withinMs = recentMs) {
    yield* Effect.matchEffect(ask(withinMs), { onFailure: ({ problem }) => complain([`${problem.detail} Asking again.`]), onSuccess: tell })
    yield* Effect.sleep(everyMs)
  }
})
