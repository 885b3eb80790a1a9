import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { ActorSystem } from "../../../src/actors/runtime/ActorSystem.ts"
import * as Bridge from "../../../src/actors/runtime/bridge.ts"
import { type ChildSpec, supervisorChild } from "../../../src/actors/runtime/ChildSpec.ts"
import * as Supervisor from "../../../src/actors/runtime/Supervisor.ts"
import { history, restarted, send, snapshot, tree, waitFor, waitForStatus, worker, workerMachine } from "./worker.ts"

const intensity = { restarts: 5, withinMs: 10_000 }

const supervise = (children: ReadonlyArray<ChildSpec>) => Supervisor.start({ address: "root", strategy: "oneForOne", intensity, children })

/** A worker whose job never ends, and whose finalizer takes a while. */
const withFinalizer = Effect.fnUntraced(function*(finalizer: Effect.Effect<void>) {
  const bridge = yield* Bridge.make()
  return workerMachine.provide({
    actors: { job: bridge.fromEffect<string, string, { name: string }>(() => Effect.onInterrupt(Effect.never, () => finalizer)) }
  })
})

describe("shutdown", () => {
  it.effect("waits for the finalizers of what a child invoked before it stops the next one", () =>
    Effect.gen(function*() {
      const steps: Array<string> = []
      const logic = yield* withFinalizer(Effect.sleep(300).pipe(Effect.andThen(Effect.sync(() => steps.push("released")))))
      const scope = yield* Scope.make()
      yield* supervise([worker("first"), worker("second", { logic, shutdownMs: 1000 })]).pipe(Scope.provide(scope))
      yield* send("root/second", "invoke")
      yield* waitFor("root/second", "busy")
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* TestClock.adjust(299)
      assert.deepStrictEqual((yield* tree).map((actor) => [actor.address, actor.status]), [
        ["root", "running"], ["root/first", "running"], ["root/second", "stopping"]
      ])
      assert.deepStrictEqual(steps, [])
      yield* TestClock.adjust(1)
      yield* Fiber.join(closing)
      assert.deepStrictEqual(steps, ["released"])
      assert.deepStrictEqual(yield* tree, [])
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("leaves a finalizer that misses the child's deadline behind, and says so", () =>
    Effect.gen(function*() {
      const logic = yield* withFinalizer(Effect.never)
      const root = yield* supervise([worker("stuck", { logic, shutdownMs: 1000 })])
      yield* send("root/stuck", "invoke")
      yield* waitFor("root/stuck", "busy")
      const stopping = yield* Effect.forkChild(root.stopChild("stuck"))
      yield* TestClock.adjust(999)
      assert.strictEqual((yield* snapshot("root/stuck")).status, "stopping")
      yield* TestClock.adjust(1)
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(yield* history("root/stuck"), ["started", "deadline", "stopped", "removed"])
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("sends the stop event first and lets the machine reach its final state", () =>
    Effect.gen(function*() {
      const root = yield* supervise([worker("polite", { stopEvent: { type: "leave" }, shutdownMs: 1000 })])
      const stopping = yield* Effect.forkChild(root.stopChild("polite"))
      assert.strictEqual((yield* waitFor("root/polite", "leaving")).status, "stopping")
      yield* send("root/polite", "left")
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(yield* history("root/polite"), ["started", "stopped", "removed"])
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("stops a machine that does not reach a final state in time", () =>
    Effect.gen(function*() {
      const root = yield* supervise([worker("slow", { stopEvent: { type: "leave" }, shutdownMs: 200 })])
      const stopping = yield* Effect.forkChild(root.stopChild("slow"))
      yield* waitFor("root/slow", "leaving")
      yield* TestClock.adjust(199)
      assert.strictEqual((yield* snapshot("root/slow")).state, "leaving")
      yield* TestClock.adjust(1)
      yield* Fiber.join(stopping)
      assert.strictEqual((yield* Effect.flip(snapshot("root/slow"))).reason, "unknown")
      assert.deepStrictEqual(yield* history("root/slow"), ["started", "deadline", "stopped", "removed"])
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("kills a subtree that misses its supervisor's deadline, so that its addresses are free", () =>
    Effect.gen(function*() {
      const logic = yield* withFinalizer(Effect.never)
      const group = supervisorChild({
        id: "group", strategy: "oneForOne", intensity, restart: "permanent", shutdownMs: 500,
        children: [worker("first"), worker("stuck", { logic, shutdownMs: 60_000 })]
      })
      const root = yield* supervise([group])
      yield* send("root/group/stuck", "invoke")
      yield* waitFor("root/group/stuck", "busy")
      const stopping = yield* Effect.forkChild(root.stopChild("group"))
      yield* TestClock.adjust(500)
      yield* Fiber.join(stopping)
      assert.deepStrictEqual((yield* tree).map((actor) => actor.address), ["root"])
      yield* root.startChild(group)
      assert.deepStrictEqual((yield* tree).map((actor) => actor.state), ["running", "running", "idle", "idle"])
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("a killed subtree that ends at last does not touch its successor", () =>
    Effect.gen(function*() {
      const released = yield* Deferred.make<void>()
      const logic = yield* withFinalizer(Effect.asVoid(Deferred.await(released)))
      yield* Supervisor.start({ address: "root", strategy: "oneForAll", intensity, children: [
        worker("a"),
        supervisorChild({
          id: "group", strategy: "oneForOne", intensity, restart: "permanent", shutdownMs: 500,
          children: [worker("stuck", { logic, shutdownMs: Infinity })]
        })
      ] })
      yield* send("root/group/stuck", "invoke")
      yield* waitFor("root/group/stuck", "busy")
      yield* send("root/a", "crash.action")
      yield* waitForStatus("root/group", "stopping")
      yield* TestClock.adjust(500)
      yield* restarted("root/group", 1)
      yield* Deferred.succeed(released, undefined)
      yield* TestClock.adjust(500)
      assert.deepStrictEqual((yield* tree).map((actor) => [actor.address, actor.status]), [
        ["root", "running"], ["root/a", "running"], ["root/group", "running"], ["root/group/stuck", "running"]
      ])
      yield* send("root/group/stuck", "work")
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("interrupts what a crashed machine had invoked, and waits for it, before the restart", () =>
    Effect.gen(function*() {
      const released = yield* Deferred.make<void>()
      const logic = yield* withFinalizer(Effect.asVoid(Deferred.await(released)))
      yield* supervise([worker("a", { logic })])
      yield* send("root/a", "invoke")
      yield* waitFor("root/a", "busy")
      yield* send("root/a", "crash.action")
      while ((yield* Effect.result(send("root/a", "work")))._tag === "Success") yield* Effect.yieldNow
      assert.strictEqual((yield* snapshot("root/a")).restarts, 0)
      yield* Deferred.succeed(released, undefined)
      yield* waitFor("root/a", "idle")
      assert.strictEqual((yield* snapshot("root/a")).restarts, 1)
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("a machine that crashes on its way to its end is stopped, and its crash is known", () =>
    Effect.gen(function*() {
      const root = yield* supervise([worker("a", { stopEvent: { type: "crash.action" }, shutdownMs: 1000 })])
      yield* root.stopChild("a")
      assert.deepStrictEqual(yield* history("root/a"), ["started", "crashed", "stopped", "removed"])
    }).pipe(Effect.provide(ActorSystem.layer)))
})
