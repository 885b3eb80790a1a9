/**
 * Every actor of this process by address: what it is, how it does, and how to hand it an event. One
 * entry lives as long as its supervisor knows the child, across restarts. Only the runtime writes
 * here; everyone else looks through ActorSystem.
 */
import type { AnyMachineSnapshot, AnyStateMachine, EventObject } from "xstate"
import type { GoneReason } from "./ActorErrors.ts"
import type { Host } from "./ActorSystem.ts"
import type { Upkeep } from "./ChildSpec.ts"
import { isBelow } from "./Journal.ts"
import { stateText, type StateValue } from "./stateText.ts"
import type { SupervisorRef } from "./Supervisor.ts"

export type ActorStatus = "running" | "restarting" | "stopping" | "ended"

/** What may be shown of an actor; plain data, ready for JSON where context and output are. */
export interface ActorSnapshot {
  readonly address: string
  readonly kind: "machine" | "supervisor"
  /** The machine's id, or the supervisor's strategy. */
  readonly machine: string
  readonly status: ActorStatus
  /** As `stateText` writes it; of a supervisor, its status. */
  readonly state: string
  /** Epoch milliseconds since when it is in that state. */
  readonly since: number
  readonly restarts: number
  /** Events that wait. */
  readonly mailbox: number
  readonly lastError?: string
  readonly upkeep: Upkeep
  /** The allow-listed keys only. */
  readonly context: Readonly<Record<string, unknown>>
  readonly output?: unknown
}

/** The mailbox of a running machine. */
export interface Inlet {
  readonly capacity: number
  readonly size: number
  /** False: full, not taken. */
  readonly offer: (event: EventObject) => boolean
}

export class ActorEntry {
  status: ActorStatus = "running"
  value: StateValue = ""
  state = ""
  /** The state after the last event in the journal. */
  noted: string | null = null
  rawContext: Readonly<Record<string, unknown>> = {}
  since: number
  restarts = 0
  lastError: string | undefined = undefined
  output: unknown = undefined
  inlet: Inlet | undefined = undefined
  /** Of a process that has ended, but whose supervisor has not dealt with that: what it is waiting for. */
  left: "restarting" | "stopping" | "ended" = "ended"
  supervisor: SupervisorRef | undefined = undefined
  removed = false
  /** Made on demand: of many actors few have children, and few are waited for. */
  children: Set<ActorEntry> | undefined = undefined
  watchers: Set<() => void> | undefined = undefined
  readonly address: string
  readonly kind: "machine" | "supervisor"
  readonly machine: string
  /** Undefined: a supervisor. */
  readonly logic: AnyStateMachine | undefined
  readonly upkeep: Upkeep
  readonly allow: ReadonlyArray<string>
  readonly showOutput: boolean
  readonly parent: ActorEntry | undefined

  constructor(init: Pick<ActorEntry, "address" | "kind" | "machine" | "logic" | "upkeep" | "allow" | "showOutput" | "parent" | "since">) {
    this.address = init.address
    this.kind = init.kind
    this.machine = init.machine
    this.logic = init.logic
    this.upkeep = init.upkeep
    this.allow = init.allow
    this.showOutput = init.showOutput
    this.parent = init.parent
    this.since = init.since
  }

  /** Of a supervisor its status. */
  get shownState(): string {
    return this.kind === "supervisor" ? this.status : this.state
  }

  /** Why it takes no events, or no children, when that is so. */
  get gone(): GoneReason {
    if (this.removed) return "unknown"
    if (this.status !== "running") return this.status
    if (this.kind === "supervisor") return this.supervisor === undefined ? "stopping" : "supervisor"
    return this.inlet === undefined ? this.left : "machine"
  }

  /** Calls back at each change; returns how to end that. */
  watch(watcher: () => void): () => void {
    this.watchers ??= new Set()
    this.watchers.add(watcher)
    return () => {
      this.watchers?.delete(watcher)
      if (this.watchers?.size === 0) this.watchers = undefined
    }
  }

  /** In the journal before anybody is told. */
  observe(snapshot: AnyMachineSnapshot, event: string, host: Host): void {
    if (snapshot.status === "error") return host.noteEvent(this, "event", event)
    this.rawContext = snapshot.context
    if (this.showOutput && snapshot.status === "done") this.output = snapshot.output
    if (snapshot.value !== this.value) {
      this.value = snapshot.value
      const state = stateText(this.value)
      if (state !== this.state) this.since = host.now()
      this.state = state
    }
    host.noteEvent(this, "event", event)
    host.registry.changed(this)
  }

  snapshot(): ActorSnapshot {
    return {
      address: this.address,
      kind: this.kind,
      machine: this.machine,
      status: this.status,
      state: this.shownState,
      since: this.since,
      restarts: this.restarts,
      mailbox: this.inlet?.size ?? 0,
      ...(this.lastError === undefined ? {} : { lastError: this.lastError }),
      upkeep: { restart: this.upkeep.restart, intensity: this.upkeep.intensity, backoff: this.upkeep.backoff },
      context: Object.fromEntries(this.allow.filter((key) => key in this.rawContext).map((key) => [key, this.rawContext[key]])),
      ...(this.output === undefined ? {} : { output: this.output })
    }
  }
}

export class Registry {
  readonly #entries = new Map<string, ActorEntry>()
  readonly #observers = new Set<{ readonly prefix: string; readonly notify: (snapshot: ActorSnapshot) => void }>()

  get(address: string): ActorEntry | undefined {
    return this.#entries.get(address)
  }

  /** Throws when the address is taken: two supervisors were given the same one. */
  add(entry: ActorEntry): void {
    if (this.#entries.has(entry.address)) {
      throw new Error(`Two actors have the address "${entry.address}". Give one of them another id.`)
    }
    this.#entries.set(entry.address, entry)
    if (entry.parent !== undefined) (entry.parent.children ??= new Set()).add(entry)
  }

  remove(entry: ActorEntry): void {
    if (this.#entries.get(entry.address) === entry) this.#entries.delete(entry.address)
    entry.parent?.children?.delete(entry)
    entry.removed = true
    entry.inlet = undefined
    this.changed(entry)
  }

  changed(entry: ActorEntry): void {
    entry.watchers?.forEach((watcher) => watcher())
    if (this.#observers.size === 0) return
    const snapshot = entry.snapshot()
    for (const observer of this.#observers) if (isBelow(entry.address, observer.prefix)) observer.notify(snapshot)
  }

  observe(prefix: string, notify: (snapshot: ActorSnapshot) => void): () => void {
    const observer = { prefix, notify }
    this.#observers.add(observer)
    return () => {
      this.#observers.delete(observer)
    }
  }

  /** Depth first: parents before children, children in the order in which they were first started. */
  entries(): ReadonlyArray<ActorEntry> {
    const found: Array<ActorEntry> = []
    const visit = (entry: ActorEntry) => {
      found.push(entry)
      entry.children?.forEach(visit)
    }
    for (const entry of this.#entries.values()) if (entry.parent === undefined) visit(entry)
    return found
  }
}
