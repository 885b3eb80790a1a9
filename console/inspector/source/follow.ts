/**
 * Follows a server: which processes there are, what happens in each. Promises to go on until it is ended: what fails is told to the
 * sink in words and tried again, with growing pauses.
 */
import type { Chart, JournalEntry, ProcessActors } from "../../../src/domain/Sight.ts"
import { anotherBegins, isOfAnother, type Place, placeAfter } from "../../../src/domain/Sight/Place.ts"
import type { Loaded } from "../session/Session.ts"
import { ApiFailure, type DebugApi, journalLimit } from "./DebugApi.ts"

export interface Sink {
  readonly connected: () => void
  readonly lost: (failure: ApiFailure, retryInMs: number) => void
  /** The token is no good: nothing more is asked. */
  readonly refused: (failure: ApiFailure) => void
  readonly looked: (processes: ReadonlyArray<ProcessActors>) => void
  readonly loaded: (loaded: Loaded) => void
  /** Entries were gone before they could be read; the process is loaded again. */
  readonly missed: (agent: string | null, count: number) => void
  /** Another process answers in its place; what follows is that one's. */
  readonly restarted: (agent: string | null) => void
  readonly charted: (agent: string | null, charts: ReadonlyArray<Chart>) => void
  readonly happened: (agent: string | null, entries: ReadonlyArray<JournalEntry>) => void
  readonly troubled: (agent: string | null, problem: string) => void
  /** Of which process somebody looks at an actor. */
  readonly watched: () => string | null | undefined
}

/** A browser has six connections to a server for all its pages, so only what somebody looks at may hold one. */
const longPollMs = 20_000
const turnMs = 1000
const lookEveryMs = 3000
/** A large cluster is looked at less often: to look takes a twentieth of the time at most. */
const restPerLook = 19
const pauses = [500, 1000, 2000, 4000, 8000, 15_000]
const pause = (failures: number): number => pauses[Math.min(failures, pauses.length) - 1] ?? 0

export const follow = (api: DebugApi, sink: Sink, ended: AbortSignal): void => {
  const followed = new Set<string | null>()
  const stopped = new AbortController()
  const over = AbortSignal.any([ended, stopped.signal])
  /** Those who found that the server does not answer wait for the look that reaches it again, which is hurried. */
  let answering = Promise.withResolvers<void>()
  let hurried = Promise.withResolvers<void>()
  const wait = (ms: number) => new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer)
      over.removeEventListener("abort", done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    over.addEventListener("abort", done)
  })

  /** Until it succeeds; failures are told. Undefined: it is over. */
  const insist = async <A>(attempt: () => Promise<A>, failed: (failure: ApiFailure, retryInMs: number) => Promise<void>): Promise<A | undefined> => {
    for (let failures = 1; !over.aborted; failures++) {
      try {
        return await attempt()
      } catch (error) {
        const failure = error instanceof ApiFailure ? error : new ApiFailure("unreadable", String(error), "reload the page")
        if (over.aborted || failure.kind === "unasked") return undefined
        if (failure.kind === "login") {
          stopped.abort()
          sink.refused(failure)
          return undefined
        }
        await failed(failure, pause(failures))
      }
    }
    return undefined
  }

  const loadProcess = async (agent: string | null): Promise<Place> => {
    const entries: Array<JournalEntry> = []
    let place: Place | undefined
    for (;;) {
      const page = await api.journal(agent, place, 0)
      if (place !== undefined && isOfAnother(place, page)) entries.length = 0
      entries.push(...page.entries)
      place = placeAfter(page)
      if (page.entries.length < journalLimit) break
    }
    const [process] = await api.actors({ agent })
    if (process === undefined || process.problem !== null) throw new ApiFailure("refused", process?.problem ?? "it does not answer", "")
    sink.loaded({ agent, entries, actors: process.actors, charts: await api.charts(agent) })
    return place
  }

  const followProcess = async (agent: string | null) => {
    let place: Place | undefined
    /** What has been seen to start: the first of a kind brings a chart that was not there before. */
    const kinds = new Set<string | null>()
    while (!over.aborted) {
      await insist(async () => {
        place ??= await loadProcess(agent)
        const waitMs = followed.size <= 2 || sink.watched() === agent ? longPollMs : 0
        const page = await api.journal(agent, place, waitMs)
        const isAnother = isOfAnother(place, page)
        if (isAnother) {
          sink.restarted(agent)
          kinds.clear()
        }
        if (page.dropped > 0) {
          sink.missed(agent, page.dropped)
          place = undefined
          return
        }
        place = placeAfter(page)
        const entries = isAnother ? [anotherBegins(page, Date.now()), ...page.entries] : page.entries
        if (entries.length > 0) sink.happened(agent, entries)
        const started = page.entries.flatMap(({ detail, kind }) => kind === "started" && !kinds.has(detail) ? [detail] : [])
        if (started.length > 0) {
          sink.charted(agent, await api.charts(agent))
          started.forEach((kind) => kinds.add(kind))
        }
        if (waitMs === 0 && page.entries.length < journalLimit) await wait(turnMs)
      }, async (failure, retryInMs) => {
        if (failure.kind !== "unreachable") {
          sink.troubled(agent, failure.message)
          return wait(retryInMs)
        }
        hurried.resolve()
        await answering.promise
      })
    }
  }

  const look = async () => {
    while (!over.aborted) {
      hurried = Promise.withResolvers() // also by one who fails while this look is under way
      let began = 0
      const processes = await insist(() => {
        began = performance.now() // of the one that succeeds: others, and the pauses between them, are no reason to rest
        return api.actors("cluster")
      }, (failure, retryInMs) => {
        sink.lost(failure, retryInMs)
        return wait(retryInMs)
      })
      answering.resolve()
      answering = Promise.withResolvers()
      if (processes === undefined) return
      sink.connected()
      sink.looked(processes)
      for (const { agent } of processes) {
        if (followed.has(agent)) continue
        followed.add(agent)
        void followProcess(agent)
      }
      await Promise.race([wait(Math.max(lookEveryMs, restPerLook * (performance.now() - began))), hurried.promise])
    }
  }
  void look()
}
