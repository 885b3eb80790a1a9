/** The sandboxes' processes of one host. They outlive the agent, and end with the host's power or by themselves. */
import { Deferred, Effect, Layer } from "effect"
import type { Found, SandboxEnd } from "../../src/actors/machines/sandbox.ts"
import { DataPlane } from "../../src/agent/dataplane/DataPlane.ts"
import { Knowledge } from "../../src/agent/Knowledge.ts"
import { SandboxDriver } from "../../src/agent/sandboxes/SandboxDriver.ts"
import type { SandboxId } from "../../src/domain/Ids.ts"

interface Entry { readonly pid: number; isReleased: boolean; end: SandboxEnd | undefined; readonly ended: Deferred.Deferred<SandboxEnd> }

const lost: SandboxEnd = { exitCode: null, reason: "the host lost power" }
const startTimeoutMs = 10_000

export class HostSandboxes {
  readonly #entries = new Map<SandboxId, Entry>()
  #lastPid = 1000

  isAlive(pid: number): boolean { return [...this.#entries.values()].some((entry) => entry.pid === pid && entry.end === undefined) }
  get running(): ReadonlyArray<SandboxId> { return [...this.#entries].filter(([, entry]) => entry.isReleased && entry.end === undefined).map(([id]) => id) }

  exit(id: SandboxId, end: SandboxEnd): void {
    const entry = this.#entries.get(id)
    if (entry === undefined || entry.end !== undefined) return
    entry.end = end
    Deferred.doneUnsafe(entry.ended, Effect.succeed(end))
  }
  losePower(): void { for (const id of this.#entries.keys()) this.exit(id, lost) }

  /** For one life of the agent: what it does after its end never happens. */
  driver(isAgentAlive: () => boolean): Layer.Layer<SandboxDriver, never, Knowledge | DataPlane> {
    return Layer.effect(SandboxDriver, Effect.gen({ self: this }, function*() {
      const knowledge = yield* Knowledge
      const dataPlane = yield* DataPlane
      const entries = this.#entries
      const whileAlive = <A, E>(act: () => Effect.Effect<A, E>): Effect.Effect<A, E> => Effect.suspend(() => isAgentAlive() ? act() : Effect.never)
      const look = (id: SandboxId): Found => {
        const entry = entries.get(id)
        if (entry === undefined) return { kind: "nothing" }
        if (entry.end !== undefined) {
          knowledge.dropRunning(id)
          return { kind: "ended", end: entry.end }
        }
        knowledge.putRunning({ id, pid: entry.pid, startTime: 1 })
        return { kind: entry.isReleased ? "running" : "held" }
      }
      const ended = (id: SandboxId) => whileAlive(() => Effect.tap(Deferred.await(entries.get(id)!.ended), () => whileAlive(() => Effect.sync(() => knowledge.dropRunning(id)))))
      return SandboxDriver.of({
        sweep: () => Effect.void,
        adopt: (id) => Effect.sync(() => { look(id) }),
        find: (id) => Effect.sync(() => look(id)),
        launch: (id) => whileAlive(() => Effect.sync(() => {
          entries.set(id, { pid: ++this.#lastPid, isReleased: false, end: undefined, ended: Deferred.makeUnsafe() })
        })),
        admit: (id) => whileAlive(() => Effect.gen(function*() {
          look(id)
          yield* dataPlane.enforce
          const served = yield* dataPlane.sandbox(id)
          if (served?.ok !== true) return yield* Effect.fail({ reason: served?.error ?? "meshd does not know it" })
          yield* whileAlive(() => Effect.sync(() => { entries.get(id)!.isReleased = true }))
        })).pipe(Effect.timeoutOrElse({ duration: startTimeoutMs, orElse: () => Effect.fail({ reason: "it was not ready in time" }) })),
        ended,
        terminate: (id) => whileAlive(() => {
          if (!entries.has(id)) return Effect.succeed<SandboxEnd>({ exitCode: null, reason: "it never ran" })
          this.exit(id, { exitCode: 143, reason: null })
          return ended(id)
        })
      })
    }))
  }
}
