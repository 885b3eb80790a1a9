/**
 * The records of flows and refusals that this agent keeps: taken at once and without waiting, written a little later and together, or
 * when somebody asks. More than can wait is dropped, and counted with what the disk refused.
 */
import { Clock, Effect, Queue, Schema, Semaphore } from "effect"
import { Flow, type FlowQuery, isAskedFor, Refusal } from "../../domain/Flow.ts"
import type { NetworkId } from "../../domain/Ids.ts"
import { openSegments } from "./segments.ts"

export type StoredRecord = Flow | Refusal

const mostWaiting = 4096
const writeEveryMs = 250
const complainEveryMs = 60_000
/** Some 100,000 flows. */
export const usualBounds = { segmentBytes: 1024 * 1024, segments: 32 }

const isRecord = Schema.is(Schema.Union([Flow, Refusal]))

export interface Found { readonly flows: ReadonlyArray<Flow>; readonly refusals: ReadonlyArray<Refusal> }

export const openRecords = Effect.fnUntraced(function*(folder: string, bounds = usualBounds) {
  const segments = openSegments(folder, bounds)
  const wake = yield* Queue.sliding<void>(1)
  const oneAtATime = (yield* Semaphore.make(1)).withPermit
  let waiting: Array<string> = []
  let lost = 0
  let complained = -Infinity

  const complain = Effect.fnUntraced(function*(count: number, reason: string) {
    lost += count
    const now = yield* Clock.currentTimeMillis
    if (now - complained < complainEveryMs) return
    complained = now
    yield* Effect.logWarning(`records of flows are lost (${lost} since the start): ${reason}; make room there`)
  })

  const write = Effect.suspend(() => {
    const lines = waiting
    waiting = []
    return lines.length === 0 ? Effect.void : Effect.catch(segments.append(lines), ({ message }) => complain(lines.length, message))
  }).pipe(Effect.uninterruptible)
  const writeInTurn = oneAtATime(write)

  /** The newest first, until it is enough. */
  const recent = (withinMs: number, isWanted: (record: StoredRecord) => boolean, take: (record: StoredRecord) => "more" | "enough") => oneAtATime(Effect.gen(function*() {
    yield* write
    const since = (yield* Clock.currentTimeMillis) - withinMs
    yield* segments.newestFirst((lines) => {
      let isRecent = false
      for (const line of lines.toReversed()) {
        const record = parsed(line)
        if (record === undefined || timeOf(record) < since) continue
        isRecent = true
        if (isWanted(record) && isRecord(record) && take(record) === "enough") return "enough"
      }
      return isRecent ? "more" : "enough" // older files hold nothing recent either
    })
  }))

  return {
    add: (record: StoredRecord): void => {
      if (waiting.length >= mostWaiting) { lost++; return }
      waiting.push(JSON.stringify(record))
      Queue.offerUnsafe(wake, undefined)
    },
    /** Writes what comes, for ever. */
    keep: Queue.take(wake).pipe(Effect.andThen(Effect.sleep(writeEveryMs)), Effect.andThen(writeInTurn), Effect.forever, Effect.ensuring(writeInTurn)),
    noteLost: (count: number): void => { lost += count },
    lost: (): number => lost,
    /** What the query asks for, the newest first; what is told stays told when the agent is killed. Refusals are told when they are asked for, and all, if they are to be added up. */
    find: (query: FlowQuery) => Effect.gen(function*() {
      const flows: Array<Flow> = [], refusals: Array<Refusal> = []
      const isFull = (): boolean => flows.length >= query.limit && (!query.denied || (query.apart === true && refusals.length >= query.limit))
      yield* recent(query.withinMs, (record) => isAskedFor(query, record), (record) => {
        if (record._tag === "Refusal") { if (query.denied) refusals.push(record) }
        else if (flows.length < query.limit) flows.push(record)
        return isFull() ? "enough" : "more"
      })
      return { flows, refusals } satisfies Found
    }),
    /** Hands over all that is kept of a network's last `withinMs`. */
    each: (network: NetworkId, withinMs: number, take: (record: StoredRecord) => void) =>
      recent(withinMs, ({ networkId }) => networkId === network, (record) => { take(record); return "more" })
  }
})
export type Records = Effect.Success<ReturnType<typeof openRecords>>

/** Of its fields nothing is known yet: most lines are not asked for. */
const parsed = (line: string): StoredRecord | undefined => {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === "object" && value !== null ? value as StoredRecord : undefined
  } catch {
    return undefined
  }
}
const timeOf = (record: StoredRecord): number => record._tag === "Refusal" ? record.lastAt : record.closedAt ?? record.openedAt
