/**
 * A supervisor's children and the mechanics of starting, stopping and removing one. Which child, and
 * when, is decided by supervisorProcess.ts.
 */
import { Effect } from "effect"
import type { Host } from "./ActorSystem.ts"
import type { ChildSpec } from "./ChildSpec.ts"
import { errorDetail, errorText } from "./errorText.ts"
import type { OnEnded, Outcome, Process } from "./Process.ts"
import { ActorEntry } from "./Registry.ts"

export interface Child {
  readonly spec: ChildSpec
  readonly entry: ActorEntry
  /** Undefined: not running. */
  process: Process | undefined
  /** Counts its processes: a late word of an earlier one is told from the present one's. */
  incarnation: number
  /** The group restart that is going to start it. */
  restart: symbol | undefined
  /** Crashes in a row. */
  failures: number
  /** By `Host.elapsed`. */
  startedAt: number
}

type StartProcess = (spec: ChildSpec, entry: ActorEntry, host: Host, onEnded: OnEnded) => Effect.Effect<Process>
type OnChildEnded = (child: Child, incarnation: number, outcome: Outcome) => void

export class ChildTable {
  readonly #parent: ActorEntry
  readonly #host: Host
  readonly #startProcess: StartProcess
  readonly #onChildEnded: OnChildEnded
  readonly #children = new Map<string, Child>()

  constructor(parent: ActorEntry, host: Host, startProcess: StartProcess, onChildEnded: OnChildEnded) {
    this.#parent = parent
    this.#host = host
    this.#startProcess = startProcess
    this.#onChildEnded = onChildEnded
  }

  /** In start order. */
  get all(): ReadonlyArray<Child> {
    return [...this.#children.values()]
  }

  find(id: string): Child | undefined {
    return this.#children.get(id)
  }

  addressOf(id: string): string {
    return this.#parent.address === "" ? id : `${this.#parent.address}/${id}`
  }

  add(spec: ChildSpec): Child {
    const entry = new ActorEntry({
      address: this.addressOf(spec.id),
      kind: spec.kind,
      machine: spec.kind === "machine" ? spec.logic.id : spec.strategy,
      logic: spec.kind === "machine" ? spec.logic : undefined,
      upkeep: spec,
      allow: spec.kind === "machine" ? spec.allow : [],
      showOutput: spec.kind === "machine" && spec.showOutput,
      parent: this.#parent,
      since: this.#host.now()
    })
    this.#host.registry.add(entry)
    const child: Child = { spec, entry, process: undefined, incarnation: 0, restart: undefined, failures: 0, startedAt: 0 }
    this.#children.set(spec.id, child)
    return child
  }

  run(child: Child): Effect.Effect<void> {
    // An interruption half way would lose a process that has started.
    return Effect.uninterruptible(Effect.gen({ self: this }, function*() {
      const { entry } = child
      child.restart = undefined
      child.startedAt = this.#host.elapsed()
      entry.status = "running"
      entry.value = ""
      entry.state = ""
      entry.noted = null
      entry.output = undefined
      entry.since = this.#host.now()
      this.#host.note(entry, "started", entry.machine)
      const incarnation = ++child.incarnation
      child.process = yield* this.#startProcess(child.spec, entry, this.#host, (outcome) => {
        // Nobody restarts what is being stopped, but that it crashed on its way is worth knowing.
        if (entry.status === "stopping" && outcome._tag === "Crashed") this.crashed(child, outcome.error)
        this.#onChildEnded(child, incarnation, outcome)
      })
      this.#host.registry.changed(entry)
    }))
  }

  crashed({ entry }: Child, error: unknown): void {
    entry.lastError = errorText(error)
    this.#host.note(entry, "crashed", errorDetail(error))
  }

  /** Orderly, within the child's deadline. */
  stop(child: Child): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      child.restart = undefined
      const process = child.process
      if (process === undefined) return
      child.entry.status = "stopping"
      this.#host.registry.changed(child.entry)
      yield* process.stop
      child.process = undefined
      this.#host.note(child.entry, "stopped")
    })
  }

  kill(child: Child): void {
    const process = child.process
    child.process = undefined
    child.restart = undefined
    process?.kill()
    this.remove(child)
  }

  remove(child: Child): void {
    if (child.entry.removed) return
    this.#children.delete(child.spec.id)
    this.#host.registry.remove(child.entry)
    this.#host.note(child.entry, "removed")
  }
}
