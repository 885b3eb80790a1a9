/**
 * A supervisor's children and the mechanics of starting, stopping and removing one. Which child, and
 * when, is decided by supervisorProcess.ts.
 */
import { Cause, Effect, Exit } from "effect"
import type { Host } from "./ActorSystem.ts"
import type { ChildSpec } from "./ChildSpec.ts"
import type { Outcome, Process } from "./Process.ts"
import { ActorEntry } from "./Registry.ts"

export interface Child {
  readonly spec: ChildSpec
  readonly entry: ActorEntry
  /** Undefined: not running. */
  process: Process | undefined
  /** The group restart that is going to start it. */
  restart: symbol | undefined
  /** Crashes in a row. */
  failures: number
  startedAt: number
}

type StartProcess = (spec: ChildSpec, entry: ActorEntry, host: Host) => Effect.Effect<Process>
type OnEnded = (child: Child, process: Process, outcome: Outcome) => void

export class ChildTable {
  readonly #parent: ActorEntry
  readonly #host: Host
  readonly #startProcess: StartProcess
  readonly #onEnded: OnEnded
  readonly #children = new Map<string, Child>()

  constructor(parent: ActorEntry, host: Host, startProcess: StartProcess, onEnded: OnEnded) {
    this.#parent = parent
    this.#host = host
    this.#startProcess = startProcess
    this.#onEnded = onEnded
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
      allow: spec.kind === "machine" ? spec.allow : [],
      parent: this.#parent,
      since: this.#host.now()
    })
    this.#host.registry.add(entry)
    const child: Child = { spec, entry, process: undefined, restart: undefined, failures: 0, startedAt: 0 }
    this.#children.set(spec.id, child)
    return child
  }

  run(child: Child): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const { entry } = child
      child.restart = undefined
      child.startedAt = this.#host.now()
      entry.status = "running"
      entry.value = ""
      entry.output = undefined
      entry.since = child.startedAt
      this.#host.note(entry, "started")
      const process = yield* this.#startProcess(child.spec, entry, this.#host)
      child.process = process
      this.#host.registry.changed(entry)
      process.fiber.addObserver((exit) =>
        this.#onEnded(child, process, Exit.isSuccess(exit) ? exit.value : { _tag: "Crashed", error: Cause.squash(exit.cause) }))
    })
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
    this.#children.delete(child.spec.id)
    this.#host.registry.remove(child.entry)
    this.#host.note(child.entry, "removed")
  }
}
