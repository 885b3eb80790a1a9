import { assert, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { TestClock } from "effect/testing"
import { ActorSystem } from "../../../src/actors/runtime/ActorSystem.ts"
import * as Bridge from "../../../src/actors/runtime/bridge.ts"
import * as Supervisor from "../../../src/actors/runtime/Supervisor.ts"
import { restarted, send, tree, waitFor, worker, workerMachine } from "./worker.ts"

const ids = Array.from({ length: 1000 }, (_, index) => `alias/a${index}:8080`)

it.effect("1,000 actors, each with a running Effect: started, messaged, one in ten crashed and restarted, all stopped without a rest", () =>
  Effect.gen(function*() {
    let running = 0
    const bridge = yield* Bridge.make()
    const job = bridge.fromEffect<string, string, { name: string }>(() =>
      Effect.acquireUseRelease(Effect.sync(() => ++running), () => Effect.never, () => Effect.sync(() => --running)))
    const logic = workerMachine.provide({ actors: { job } })
    const scope = yield* Scope.make()
    const root = yield* Supervisor.start({ address: "root", strategy: "oneForOne", intensity: { restarts: 200, withinMs: 1000 }, children: [] }).pipe(Scope.provide(scope))
    for (const id of ids) yield* root.startChild(worker(id, { logic }))
    for (const id of ids) yield* send(`root/${id}`, "invoke")
    for (const id of ids) yield* waitFor(`root/${id}`, "busy")
    assert.strictEqual(running, 1000)
    const crashed = ids.filter((_, index) => index % 10 === 0)
    for (const id of crashed) yield* send(`root/${id}`, "crash.action")
    for (const id of crashed) yield* restarted(`root/${id}`, 1)
    assert.strictEqual(running, 900)
    const actors = yield* tree
    assert.strictEqual(actors.length, 1001)
    assert.strictEqual(actors.filter((actor) => actor.restarts === 1).length, 100)
    yield* TestClock.adjust("30 seconds")
    for (const id of ids) yield* waitFor(`root/${id}`, "idle")
    assert.strictEqual(running, 0)
    yield* Scope.close(scope, Exit.void)
    assert.deepStrictEqual(yield* tree, [])
  }).pipe(Effect.provide(ActorSystem.layer)))
