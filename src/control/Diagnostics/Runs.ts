/**
 * The runs of `network test`, for whoever reads them. One that goes on is in the memory of the control plane that runs it, and there for a
 * while after; when it ends it is stored, and the last hundred of each network stay.
 */
import { Context, Effect, Layer, Option, Schema, Stream, SubscriptionRef } from "effect"
import { SqlClient } from "effect/sql"
import { DiagnosticRun, type DiagnosticSummary } from "../../domain/Diagnostic.ts"
import type { NetworkId, RunId } from "../../domain/Ids.ts"
import { RunNotFound, TooManyRuns } from "../../domain/Problems.ts"
import type { NetworkRow } from "../Lookups.ts"
import { rows, stored } from "../Store.ts"

const keptOfNetwork = 100
const keptInMemory = 100
export const mostAtOnce = 32
const longestWaitMs = 60_000

const Row = Schema.Struct({ run: DiagnosticRun })
const encode = Schema.encodeEffect(Schema.fromJsonString(DiagnosticRun))

/** Waits until there are more than `after` results, or the run is over; after `waitMs` answers with what is true. */
export const news = (run: SubscriptionRef.SubscriptionRef<DiagnosticRun>, after: number, waitMs: number): Effect.Effect<DiagnosticRun> =>
  Stream.runHead(Stream.filter(SubscriptionRef.changes(run), ({ state, checks }) => state !== "running" || checks.length > after)).pipe(
    Effect.timeoutOption(Math.min(waitMs, longestWaitMs)),
    Effect.flatMap((seen) => Option.match(Option.flatten(seen), { onNone: () => SubscriptionRef.get(run), onSome: Effect.succeed }))
  )

export const tooMany = (what: string, most: number) => new TooManyRuns({ detail: `${most} ${what} run at the moment, and no more at once.`, hint: "Try again in a few seconds." })

interface Live { readonly networkId: NetworkId; readonly run: SubscriptionRef.SubscriptionRef<DiagnosticRun> }

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const live = new Map<RunId, Live>()
  const isOver = ({ run }: Live): boolean => SubscriptionRef.getUnsafe(run).state !== "running"

  const makeRoom = () => {
    for (const [id, entry] of live) if (live.size > keptInMemory && isOver(entry)) live.delete(id)
  }

  const store = (networkId: NetworkId, run: DiagnosticRun) => stored(sql.withTransaction(Effect.gen(function*() {
    yield* sql`insert into diagnostic_runs (id, network_id, run) values (${run.id}, ${networkId}, ${yield* encode(run)}::jsonb)`
    yield* sql`delete from diagnostic_runs where network_id = ${networkId} and id not in
      (select id from diagnostic_runs where network_id = ${networkId} order by id desc limit ${keptOfNetwork})`
  }))).pipe(Effect.catch(({ detail }) => Effect.logWarning(`Run ${run.id} of a test is not kept. ${detail}`)))

  const find = (network: NetworkRow, id: string) => Effect.gen(function*() {
    const here = [...live].find(([known, { networkId }]) => known === id && networkId === network.id)
    if (here !== undefined) return here[1].run
    const [row] = yield* stored(rows(Row)(sql`select run from diagnostic_runs where network_id = ${network.id} and id = ${id}`))
    if (row !== undefined) return yield* SubscriptionRef.make(row.run)
    return yield* new RunNotFound({
      detail: `Network "${network.name}" has no run "${id}"; the last ${keptOfNetwork} are kept.`, hint: `See them: gstacks network tests list ${network.name}`
    })
  })

  return {
    begin: (networkId: NetworkId, run: DiagnosticRun) => Effect.gen(function*() {
      const ref = yield* SubscriptionRef.make(run)
      // Counted and entered in one step.
      if ([...live.values()].filter((entry) => !isOver(entry)).length >= mostAtOnce) return yield* tooMany("tests", mostAtOnce)
      live.set(run.id, { networkId, run: ref })
      makeRoom()
      return ref
    }),

    end: (networkId: NetworkId, run: DiagnosticRun) => store(networkId, run),

    find,

    list: (network: NetworkRow) => Effect.gen(function*() {
      const kept = yield* stored(rows(Row)(sql`select run from diagnostic_runs where network_id = ${network.id} order by id desc`))
      const here = [...live.values()].filter(({ networkId }) => networkId === network.id).map(({ run }) => SubscriptionRef.getUnsafe(run))
      const all = new Map([...kept.map(({ run }) => run), ...here].map((run) => [run.id, run]))
      return [...all.values()].sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, keptOfNetwork).map(({ checks: _, trouble: __, rules: ___, ...summary }): DiagnosticSummary => summary)
    })
  }
})

export class Runs extends Context.Service<Runs, Effect.Success<typeof make>>()("gstacks/control/Diagnostics/Runs") {
  static readonly layer = Layer.effect(Runs, make)
}
