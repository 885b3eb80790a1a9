/** The page's state and everything that changes it. Components read a snapshot and call these functions; nothing else is shared. */
import { Result } from "effect"
import { useSyncExternalStore } from "react"
import { append, load, look, nothing, ofRecording, type Session, toRecording, withCharts, withProblem } from "../session/Session.ts"
import { type Moment, momentAt, positionOf } from "../session/timeline.ts"
import { type DebugApi, debugApi } from "../source/DebugApi.ts"
import { follow, type Sink } from "../source/follow.ts"
import { readRecording, saveRecording } from "../source/recordingFile.ts"
import { forgetToken, keepToken } from "../source/token.ts"

/** An actor of one process; without an address the process itself. */
export interface Selection { readonly agent: string | null; readonly address: string }

export type Source =
  | { readonly kind: "none" }
  | { readonly kind: "file"; readonly name: string; readonly at: number; readonly product: string }
  | { readonly kind: "server"; readonly link: "connecting" | "connected" | "lost" | "refused" }

export interface Notice { readonly text: string; readonly hint: string }

export interface State {
  readonly source: Source
  readonly session: Session
  readonly moment: Moment
  readonly selected: Selection | undefined
  readonly notice: Notice | undefined
}

export interface Store {
  readonly get: () => State
  readonly subscribe: (changed: () => void) => () => void
  readonly select: (selected: Selection) => void
  readonly show: (moment: Moment) => void
  readonly dismiss: () => void
  readonly connect: (token: string | undefined) => void
  readonly open: (file: File) => Promise<void>
  readonly save: () => void
  /** Connects again with the last token; undefined when there is none. */
  readonly back: () => (() => void) | undefined
  /** Undefined when no server is followed. */
  readonly api: () => DebugApi | undefined
}

/** Often enough for eyes; a burst of entries is one change. */
const refreshMs = 100

export const makeStore = (): Store => {
  let state: State = { source: { kind: "none" }, session: nothing, moment: "now", selected: undefined, notice: undefined }
  let live = new AbortController()
  let api: DebugApi | undefined
  let lastToken: string | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  const listeners = new Set<() => void>()
  const tell = () => {
    clearTimeout(timer)
    timer = undefined
    listeners.forEach((changed) => changed())
  }
  const set = (change: Partial<State>) => {
    state = { ...state, ...change }
    tell()
  }
  const setSoon = (session: Session) => {
    const from = state.session
    state = { ...state, session, moment: stillThere(from, session, state.moment) }
    timer ??= setTimeout(tell, refreshMs)
  }
  const link = (link: "connecting" | "connected" | "lost" | "refused", notice: Notice | undefined) => {
    if (state.source.kind === "server" && state.source.link === link && state.notice?.text === notice?.text) return
    set({ source: { kind: "server", link }, notice })
  }
  const nameOf = (agent: string | null) => agent === null ? "The control plane" : `The agent ${agent}`

  const sink = (): Sink => ({
    connected: () => { if (state.source.kind !== "server" || state.source.link !== "connected") link("connected", undefined) },
    lost: (failure, retryInMs) => link("lost", { text: `${failure.message} What is shown is as it was last seen; the next try is in ${retryInMs / 1000} s.`, hint: failure.hint }),
    refused: (failure) => {
      forgetToken()
      lastToken = undefined
      api = undefined
      link("refused", { text: `The token is not accepted: ${failure.message}`, hint: failure.hint })
    },
    looked: (processes) => setSoon(look(state.session, processes)),
    loaded: (loaded) => setSoon(load(state.session, loaded)),
    missed: (agent, count) => set({ notice: { text: `${nameOf(agent)} was faster than this page: ${count} entries of its journal are lost, and its timeline begins anew.`, hint: "" } }),
    restarted: (agent) => set({ notice: { text: `${nameOf(agent)} was started anew, and its tree with it; what was before is still in the journal.`, hint: "" } }),
    charted: (agent, charts) => setSoon(withCharts(state.session, agent, charts)),
    happened: (agent, entries) => setSoon(append(state.session, agent, entries)),
    troubled: (agent, problem) => setSoon(withProblem(state.session, agent, problem)),
    watched: () => state.moment === "now" ? state.selected?.agent : undefined
  })

  const leave = () => {
    live.abort()
    live = new AbortController()
    api = undefined
  }

  const connect = (token: string | undefined): void => {
    leave()
    if (token === undefined) return set({ source: { kind: "server", link: "refused" } })
    keepToken(token)
    lastToken = token
    const another = state.source.kind !== "server"
    set({ source: { kind: "server", link: "connecting" }, notice: undefined, ...(another ? { session: nothing, moment: "now", selected: undefined } : {}) })
    api = debugApi(token, live.signal)
    follow(api, sink(), live.signal)
  }

  return {
    get: () => state,
    subscribe: (changed) => {
      listeners.add(changed)
      return () => listeners.delete(changed)
    },
    select: (selected) => set({ selected }),
    show: (moment) => set({ moment }),
    dismiss: () => set({ notice: undefined }),
    connect,
    open: async (file) => {
      const read = await readRecording(file)
      if (Result.isFailure(read)) return set({ notice: { text: `${file.name}: ${read.failure.message}`, hint: read.failure.hint } })
      leave()
      const { at, product } = read.success
      set({ source: { kind: "file", name: file.name, at, product }, session: ofRecording(read.success), moment: "now", selected: undefined, notice: undefined })
    },
    back: () => lastToken === undefined ? undefined : () => connect(lastToken),
    save: () => saveRecording(toRecording(state.session, Date.now())),
    api: () => api
  }
}

/** The entry that was shown may have been among those that went. */
const stillThere = (from: Session, to: Session, moment: Moment): Moment =>
  moment === "now" || moment === "start" || positionOf(to.timeline, moment) > 0 ? moment
    : momentAt(to.timeline, Math.min(to.timeline.length, Math.max(0, positionOf(from.timeline, moment) - Math.max(0, from.timeline.length - to.timeline.length))))

export const useStore = (store: Store): State => useSyncExternalStore(store.subscribe, store.get)
