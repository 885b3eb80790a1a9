/** Sandboxes that are only entries in a map: for agents whose processes do not matter. They outlive the agent as real ones do. */
import { Deferred, Effect, Layer } from "effect"
import type { SandboxEnd } from "../../src/actors/machines/sandbox.ts"
import { DataPlane } from "../../src/agent/dataplane/DataPlane.ts"
import { Knowledge } from "../../src/agent/Knowledge.ts"
import { SandboxDriver } from "../../src/agent/sandboxes/SandboxDriver.ts"
import type { SandboxId } from "../../src/domain/Ids.ts"

interface Entry { readonly pid: number; readonly end: Deferred.Deferred<SandboxEnd> }

export class FakeHost {
  readonly sandboxes = new Map<SandboxId, Entry>()
  /** Those that meshd still served when they were told to end. */
  readonly endedServed: Array<SandboxId> = []
  #lastPid = 1000

  /** The program in it ends by itself. */
  exit(id: SandboxId, exitCode: number): void { Deferred.doneUnsafe(this.sandboxes.get(id)!.end, Effect.succeed({ exitCode, reason: null })) }

  readonly driver = Layer.effect(SandboxDriver, Effect.gen({ self: this }, function*() {
    const knowledge = yield* Knowledge
    const dataPlane = yield* DataPlane
    const put = (id: SandboxId) => {
      const entry = this.sandboxes.get(id)
      if (entry !== undefined && Deferred.isDoneUnsafe(entry.end) === false) knowledge.putRunning({ id, pid: entry.pid, startTime: 1 })
      return entry
    }
    const ended = (id: SandboxId) => Effect.tap(Deferred.await(this.sandboxes.get(id)!.end), () => Effect.sync(() => knowledge.dropRunning(id)))
    return SandboxDriver.of({
      sweep: () => Effect.void,
      adopt: (id) => Effect.sync(() => { put(id) }),
      find: (id) => Effect.sync(() => put(id) === undefined ? { kind: "nothing" } : { kind: "running" }),
      launch: (id) => Effect.sync(() => { this.sandboxes.set(id, { pid: ++this.#lastPid, end: Deferred.makeUnsafe() }) }),
      admit: (id) => Effect.gen(function*() { put(id); yield* dataPlane.enforce }),
      ended,
      terminate: (id) => Effect.gen({ self: this }, function*() {
        if ((yield* dataPlane.inForce)?.plan.sandboxes.some((sandbox) => sandbox.id === id)) this.endedServed.push(id)
        Deferred.doneUnsafe(this.sandboxes.get(id)!.end, Effect.succeed({ exitCode: 143, reason: null }))
        return yield* ended(id)
      })
    })
  }))
}
