import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { assign, setup } from "xstate"
import { ActorSystem } from "../../../src/actors/runtime/ActorSystem.ts"
import * as Bridge from "../../../src/actors/runtime/bridge.ts"
import { machineChild } from "../../../src/actors/runtime/ChildSpec.ts"
import { Inspector } from "../../../src/actors/runtime/Inspector.ts"
import * as Supervisor from "../../../src/actors/runtime/Supervisor.ts"
import { details, restarted, send, snapshot, waitFor, worker, workerMachine } from "./worker.ts"

/** How many XState actors each address has been made of. */
const world = Effect.gen(function*() {
  const made = new Map<string, Set<string>>()
  const inspector = Layer.succeed(Inspector, (address, event) => { made.set(address, (made.get(address) ?? new Set()).add(event.rootId)) })
  const context = yield* Layer.build(ActorSystem.layer.pipe(Layer.provide(inspector)))
  const bridge = yield* Bridge.make()
  const logic = workerMachine.provide({ actors: { job: bridge.fromEffect<string, string, { name: string }>(() => Effect.never) } })
  yield* Supervisor.start({
    address: "house", strategy: "oneForOne", intensity: { restarts: 100, withinMs: 1000 }, children: [worker("wakeful", { logic }), worker("sleepy", { logic, hibernates: true })]
  }).pipe(Effect.provideContext(context))
  return { made: (id: string) => made.get(`house/${id}`)?.size, context }
})

const Events = Schema.Array(Schema.Literals(["work", "invoke", "stream", "leave", "left", "crash.action", "crash.assign"]))

describe("hibernation", () => {
  it.effect("a machine at rest is made again for the next event, and is what it was", () => Effect.gen(function*() {
    const { made, context } = yield* world
    yield* Effect.gen(function*() {
      for (let n = 1; n <= 3; n++) {
        for (const id of ["sleepy", "wakeful"]) {
          yield* send(`house/${id}`, "work")
          yield* ActorSystem.use((actors) => actors.waitFor(`house/${id}`, (_, { count }) => count === n))
          yield* Effect.yieldNow
        }
      }
      assert.strictEqual(made("wakeful"), 1)
      assert.isAbove(made("sleepy")!, 2)
      // what it invokes, and its timers, keep it awake
      yield* send("house/sleepy", "invoke")
      yield* waitFor("house/sleepy", "busy")
      const awake = made("sleepy")
      yield* send("house/sleepy", "work")
      yield* TestClock.adjust("30 seconds")
      yield* waitFor("house/sleepy", "idle")
      assert.strictEqual(made("sleepy"), awake)
      assert.deepStrictEqual((yield* snapshot("house/sleepy")).context, { name: "sleepy", count: 4 })
    }).pipe(Effect.provideContext(context))
  }))

  it.effect("one that cannot be reduced to its snapshot crashes, and holds nobody up", () => Effect.gen(function*() {
    const circular: Record<string, unknown> = {}
    circular["self"] = circular
    const logic = setup({}).createMachine({ id: "circular", context: {}, on: { work: { actions: assign({ circular }) } } })
    const root = yield* Supervisor.start({
      address: "house", strategy: "oneForOne", intensity: { restarts: 1, withinMs: 1000 },
      children: [machineChild({ id: "circular", logic, restart: "permanent", shutdownMs: 100, hibernates: true }), worker("sibling")]
    })
    yield* send("house/circular", "work")
    yield* send("house/sibling", "work")
    assert.include((yield* restarted("house/circular", 1)).lastError, "Maximum call stack")
    yield* ActorSystem.use((actors) => actors.waitFor("house/sibling", (_, { count }) => count === 1))
    assert.include((yield* details("house/circular", "crashed")).join(), "Maximum call stack")
    yield* send("house/circular", "work")
    assert.include((yield* Effect.flip(root.failed)).reason, "Maximum call stack")
  }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect.prop("shows the same states and tells the same history", [Events], ([events]) => Effect.gen(function*() {
    const { context } = yield* world
    yield* Effect.gen(function*() {
      let crashes = 0
      for (const event of events) {
        for (const id of ["wakeful", "sleepy"]) yield* Effect.ignore(send(`house/${id}`, event))
        if (event.startsWith("crash")) crashes++
        for (const id of ["wakeful", "sleepy"]) yield* restarted(`house/${id}`, crashes)
        yield* TestClock.adjust("500 millis")
      }
      const seen = (id: string) => Effect.gen(function*() {
        const { journal } = yield* ActorSystem
        const { address: _, context: { name: __, ...context }, ...rest } = yield* snapshot(`house/${id}`)
        return { rest, context, history: journal.entries(`house/${id}`).map(({ at, detail, event, kind, state }) => ({ at, detail, event, kind, state })) }
      })
      assert.deepStrictEqual(yield* seen("sleepy"), yield* seen("wakeful"))
    }).pipe(Effect.provideContext(context))
  }), { arbitrary: { runs: 50 } })
})
