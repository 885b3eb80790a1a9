/**
 * After a change: say what changed (stdout), wait as `--wait` asks, then the receipt (stderr). With `-o json`, `jsonl` or
 * `yaml` one document `{value, change, receipt}`. The wait ends with exit code 6 when `--timeout` is over; what was stored stays.
 */
import { Effect } from "effect"
import { type Change, isComplete, type Receipt, type ReceiptUntil } from "../domain/Receipt.ts"
import { ControlApi } from "./ControlApi.ts"
import { Failure, waitTimedOut } from "./Failure.ts"
import { format, Timeout, Wait } from "./GlobalFlags.ts"
import { note, patienceMs, show } from "./output/view.ts"

/** The longest wait that one request may ask for. */
const stretchMs = 30_000

type Stored = typeof Change.Type
type Applied = typeof Receipt.Type

const pending = (receipt: Applied): string =>
  receipt.pending.map(({ agent, online, reason }) => `${agent} (${online ? reason : "offline"})`).join(", ")

const reached = (until: ReceiptUntil): string => until === "ready" ? "ready on" : "applied by"

export const describeReceipt = (receipt: Applied, until: ReceiptUntil = "applied"): string => {
  if (receipt.participants === 0) return `topology v${receipt.version} stored; no agent takes part in ${receipt.network} yet`
  const by = `topology v${receipt.version} ${reached(until)} ${receipt.applied}/${receipt.participants} agents`
  if (!isComplete(receipt)) return `${by}${describeClosed(receipt)}; pending: ${pending(receipt)}`
  return `${by}${receipt.elapsedMs === null ? "" : ` in ${Math.round(receipt.elapsedMs)} ms`}${describeClosed(receipt)}`
}

/** `; 3 connections closed, last byte 11 ms after commit`: nothing where nothing was closed. */
const describeClosed = ({ closed }: Applied): string => {
  if (closed === undefined || closed.connections === 0) return ""
  const last = closed.lastByteMs === null ? "" : `, last byte ${Math.round(closed.lastByteMs)} ms after commit`
  return `; ${closed.connections} ${closed.connections === 1 ? "connection" : "connections"} closed${last}`
}

const ask = (change: Stored, until: ReceiptUntil, timeoutMs: number) =>
  Effect.flatMap(ControlApi, ({ call }) =>
    call((client) => client.networks.receipt({ params: { network: change.networkId, version: change.version }, query: { timeoutMs, until } }), { timeoutMs: timeoutMs + 10_000 }))

const awaitReceipt = (change: Stored, until: ReceiptUntil, timeoutMs: number) =>
  Effect.gen(function*() {
    let receipt = yield* ask(change, until, Math.min(patienceMs, timeoutMs))
    let left = timeoutMs - patienceMs
    if (!isComplete(receipt) && left > 0) yield* note(`waiting for ${pending(receipt)}`)
    for (; !isComplete(receipt) && left > 0; left -= stretchMs) receipt = yield* ask(change, until, Math.min(stretchMs, left))
    return receipt
  })

interface Outcome {
  /** Null when it was not asked for, or cannot be had. */
  readonly receipt: Applied | null
  /** Why it cannot be had, though the change is stored. */
  readonly failure: Failure | null
}

/** A network that is gone has nobody left to acknowledge: that is no failure. */
const outcomeOf = (change: Stored) =>
  Effect.gen(function*() {
    const until = yield* Wait
    if (until === "stored") return { receipt: null, failure: null }
    return yield* awaitReceipt(change, until, yield* Timeout).pipe(Effect.match({
      onSuccess: (receipt): Outcome => ({ receipt, failure: null }),
      onFailure: (failure): Outcome => ({ receipt: null, failure: failure.exitCode === 3 ? null : failure })
    }))
  })

export interface Changed<A> {
  readonly value: A
  readonly changes: ReadonlyArray<Stored>
  /** What changed, as a sentence without its end. */
  readonly said: string
  readonly name: string
  /** `{value, change, receipt}` when one network changed, which is the rule; a list of both when several can. */
  readonly several?: boolean
}

/** Whatever becomes of the receipt, the change is stored and shown. */
export const showChange = <A>({ value, changes, said, name, several }: Changed<A>) =>
  Effect.gen(function*() {
    const view = (document: unknown) => show({ document, table: () => `${said}\n`, names: () => [name] })
    const chosen = yield* format
    const isText = chosen === "table" || chosen === "name"
    if (isText) yield* view(null)
    const outcomes = yield* Effect.forEach(changes, outcomeOf, { concurrency: 4 })
    const receipts = outcomes.map(({ receipt }) => receipt)
    if (!isText) yield* view(several ? { value, changes, receipts } : { value, change: changes[0], receipt: receipts[0] })
    const waited = yield* Wait
    const until = waited === "stored" ? "applied" : waited
    for (const [i, change] of changes.entries()) {
      const receipt = receipts[i]
      yield* note(receipt ? describeReceipt(receipt, until) : `topology v${change.version} of ${change.network} stored`)
    }
    const failure = outcomes.find((outcome) => outcome.failure !== null)?.failure
    if (failure) return yield* receiptUnknown(failure)
    const late = receipts.find((receipt) => receipt !== null && !isComplete(receipt))
    if (late) return yield* tooLate(late, until, yield* Timeout)
  })

const receiptUnknown = ({ problem, exitCode }: Failure): Failure =>
  new Failure({ problem: { ...problem, detail: `the change is stored, but who has applied it is unknown: ${problem.detail}` }, exitCode, resultShown: true })

const tooLate = (receipt: Applied, until: ReceiptUntil, timeoutMs: number): Failure => {
  const { network, version, applied, participants } = receipt
  return waitTimedOut(
    `stored, but topology v${version} of ${network} is ${reached(until)} ${applied}/${participants} agents after ${timeoutMs / 1000} s; pending: ${pending(receipt)}`,
    `gstacks network show ${network}`
  )
}
