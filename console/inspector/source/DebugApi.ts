/** The questions of `src/protocol/http/DebugApi.ts`, asked of the server that the page came from. Every failure is an `ApiFailure`. */
import { Result, Schema } from "effect"
import { ActorDetail, Chart, JournalPage, ProcessActors } from "../../../src/domain/Sight.ts"
import type { Place } from "../../../src/domain/Sight/Place.ts"

export class ApiFailure extends Error {
  /** `gone`: there is no such actor now. `unasked`: nobody wants the answer any more. */
  readonly kind: "login" | "unreachable" | "refused" | "gone" | "unreadable" | "unasked"
  readonly hint: string
  constructor(kind: ApiFailure["kind"], message: string, hint: string) {
    super(message)
    this.kind = kind
    this.hint = hint
  }
}

export interface DebugApi {
  /** Of the cluster, or of one process. */
  readonly actors: (scope: "cluster" | { readonly agent: string | null }) => Promise<ReadonlyArray<ProcessActors>>
  readonly actor: (agent: string | null, address: string, signal: AbortSignal) => Promise<ActorDetail>
  readonly charts: (agent: string | null) => Promise<ReadonlyArray<Chart>>
  readonly journal: (agent: string | null, from: Place | undefined, waitMs: number) => Promise<JournalPage>
}

/** What a page of the journal holds at most. */
export const journalLimit = 1000

/** On top of what the server may wait. */
const patienceMs = 15_000

const Problem = Schema.Struct({ detail: Schema.optionalKey(Schema.String), hint: Schema.optionalKey(Schema.String) })
const readProblem = Schema.decodeUnknownResult(Problem)
const read = {
  processes: Schema.decodeUnknownResult(Schema.Array(ProcessActors)),
  actor: Schema.decodeUnknownResult(ActorDetail),
  charts: Schema.decodeUnknownResult(Schema.Array(Chart)),
  page: Schema.decodeUnknownResult(JournalPage)
}

const refusal = async (response: Response): Promise<ApiFailure> => {
  const problem = readProblem(await response.json().catch(() => ({})))
  const { detail = `the server answered ${response.status}`, hint = "" } = Result.isSuccess(problem) ? problem.success : {}
  if (response.status === 401 || response.status === 403) return new ApiFailure("login", detail, "get a new link: gstacks debug inspect")
  return new ApiFailure(response.status === 404 ? "gone" : "refused", detail, hint)
}

export const debugApi = (token: string, ended: AbortSignal): DebugApi => {
  const get = async <A>(path: string, query: Record<string, string | undefined>, decode: (input: unknown) => Result.Result<A, unknown>, signal = ended, waitMs = 0): Promise<A> => {
    const search = new URLSearchParams(Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined))
    let body: unknown
    try {
      const response = await fetch(`/api/v1/debug/${path}?${search}`, {
        headers: { authorization: `Bearer ${token}` }, cache: "no-store", credentials: "omit", redirect: "error",
        signal: AbortSignal.any([ended, signal, AbortSignal.timeout(waitMs + patienceMs)])
      })
      if (!response.ok) throw await refusal(response)
      body = await response.json()
    } catch (error) {
      if (error instanceof ApiFailure) throw error
      if (ended.aborted || signal.aborted) throw new ApiFailure("unasked", "", "")
      throw new ApiFailure("unreachable", "The server that this page came from does not answer.", "see whether it runs: gstacks doctor")
    }
    const decoded = decode(body)
    if (Result.isSuccess(decoded)) return decoded.success
    throw new ApiFailure("unreadable", `The server's answer about ${path} is not what this page understands.`, "reload the page: the server may have another version now")
  }
  const named = (agent: string | null) => ({ agent: agent ?? undefined })
  return {
    actors: (scope) => get("actors", scope === "cluster" ? { scope } : named(scope.agent), read.processes),
    actor: (agent, address, signal) => get("actor", { ...named(agent), address }, read.actor, signal),
    charts: (agent) => get("charts", named(agent), read.charts),
    journal: (agent, from, waitMs) =>
      get("journal", { ...named(agent), after: from?.after.toString(), instance: from?.instance, limit: `${journalLimit}`, waitMs: `${waitMs}` }, read.page, ended, waitMs)
  }
}
