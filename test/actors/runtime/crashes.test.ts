import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { type ActorRefFrom, assign, createMachine, emit, type EventObject, fromCallback, fromPromise, setup } from "xstate"
import { ActorSystem } from "../../../src/actors/runtime/ActorSystem.ts"
import * as Bridge from "../../../src/actors/runtime/bridge.ts"
import { type ChildSpec, machineChild } from "../../../src/actors/runtime/ChildSpec.ts"
import * as Supervisor from "../../../src/actors/runtime/Supervisor.ts"
import { uncaughtBy } from "./uncaught.ts"
import { details, history, restarted, send, snapshot, waitFor, waitForStatus, worker, workerMachine } from "./worker.ts"

const supervise = (...children: ReadonlyArray<ChildSpec>) =>
  Supervisor.start({ address: "root", strategy: "oneForOne", intensity: { restarts: 3, withinMs: 10_000 }, children })

describe("a crash is contained, journalled and restarted", () => {
  for (const [event, text] of [
    ["crash.action", "boom in an action"],
    ["crash.guard", "boom in a guard"],
    ["crash.assign", "boom in an assign"],
    ["loop", "Infinite loop detected"]
  ] as const) {
    it.effect(`on "${event}"`, () =>
      Effect.gen(function*() {
        const uncaught = yield* uncaughtBy(Effect.gen(function*() {
          yield* supervise(worker("a"), worker("b"))
          yield* send("root/a", event)
          assert.include((yield* restarted("root/a", 1)).lastError, text)
        }))
        assert.deepStrictEqual(uncaught, [])
        assert.deepStrictEqual(yield* history("root/a"), ["started", "crashed", "restarting", "started"])
        assert.include((yield* details("root/a", "crashed")).join(), text)
        assert.strictEqual((yield* snapshot("root/b")).restarts, 0)
      }).pipe(Effect.provide(ActorSystem.layer)))
  }

  it.effect("of the context factory, at every start", () =>
    Effect.gen(function*() {
      const broken = setup({}).createMachine({ id: "broken", context: () => { throw new Error("no context") } })
      const root = yield* supervise(machineChild({ id: "a", logic: broken, restart: "permanent", shutdownMs: 100 }))
      const failure = yield* Effect.flip(root.failed)
      assert.include(failure.reason, "no context")
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("of an entry action of the initial state", () =>
    Effect.gen(function*() {
      const broken = createMachine({ id: "broken", entry: () => { throw new Error("at entry") } })
      const uncaught = yield* uncaughtBy(supervise(machineChild({ id: "a", logic: broken, restart: "transient", shutdownMs: 100 })).pipe(
        Effect.flatMap((root) => Effect.flip(root.failed))
      ))
      assert.deepStrictEqual(uncaught, [])
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("of an invoked Effect that dies, when the machine has no onError", () =>
    Effect.gen(function*() {
      const bridge = yield* Bridge.make()
      const logic = workerMachine.provide({ actors: { job: bridge.fromEffect<string, string, { name: string }>(() => Effect.die(new Error("defect"))) } })
      const uncaught = yield* uncaughtBy(Effect.gen(function*() {
        yield* supervise(worker("a", { logic }))
        yield* send("root/a", "invoke")
        assert.strictEqual((yield* restarted("root/a", 1)).lastError, "Error: defect")
      }))
      assert.deepStrictEqual(uncaught, [])
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("of a function that throws before it returns its Effect or Stream", () =>
    Effect.gen(function*() {
      const bridge = yield* Bridge.make()
      const fail = (): never => {
        throw new Error("thrown")
      }
      const logic = workerMachine.provide({
        actors: {
          job: bridge.fromEffect<string, string, { name: string }>(() => fail()),
          feed: bridge.fromStream<EventObject, never, { name: string }>(() => fail(), () => ({ type: "crash.action" }))
        }
      })
      yield* supervise(worker("a", { logic }))
      yield* send("root/a", "invoke")
      assert.strictEqual((yield* restarted("root/a", 1)).lastError, "Error: thrown")
      yield* send("root/a", "stream")
      assert.strictEqual((yield* restarted("root/a", 2)).lastError, "Error: boom in an action")
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("of plain promises and callbacks; what the machine had invoked is stopped with it", () =>
    Effect.gen(function*() {
      const steps: Array<string> = []
      const feed = fromCallback(() => () => steps.push("feed stopped"))
      const nested = createMachine({ id: "nested", invoke: { id: "feed", src: feed } })
      const host = setup({ actors: { nested, feed, job: fromPromise(() => Promise.reject(new Error("rejected"))) } }).createMachine({
        id: "host",
        invoke: [{ id: "feed", src: "feed" }, { id: "nested", src: "nested" }],
        initial: "calm",
        states: { calm: { on: { reject: "rejecting" } }, rejecting: { invoke: { src: "job" } } },
        on: { crash: { actions: () => { throw new Error("boom") } } }
      })
      const uncaught = yield* uncaughtBy(Effect.gen(function*() {
        yield* supervise(machineChild({ id: "a", logic: host, restart: "permanent", shutdownMs: 100 }))
        yield* send("root/a", "crash")
        yield* restarted("root/a", 1)
        assert.deepStrictEqual(steps, ["feed stopped", "feed stopped"])
        yield* send("root/a", "reject")
        assert.strictEqual((yield* restarted("root/a", 2)).lastError, "Error: rejected")
        assert.strictEqual(steps.length, 4)
      }))
      assert.deepStrictEqual(uncaught, [])
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("of a nested machine that its parent handles: what the nested one had invoked stops", () =>
    Effect.gen(function*() {
      const steps: Array<string> = []
      const feed = fromCallback(() => () => steps.push("feed stopped"))
      const nested = createMachine({
        id: "nested", invoke: { id: "feed", src: feed }, on: { crash: { actions: () => { throw new Error("boom") } } }
      })
      const parent = setup({ types: { context: {} as { child: ActorRefFrom<typeof nested> | undefined } }, actors: { nested } }).createMachine({
        id: "parent", context: { child: undefined }, initial: "on",
        states: {
          on: {
            invoke: { id: "nested", src: "nested", onError: "off" },
            on: { crash: { actions: ({ self }) => (self.getSnapshot().children["nested"] as ActorRefFrom<typeof nested>).send({ type: "crash" }) } }
          },
          off: {}
        }
      })
      yield* supervise(machineChild({ id: "a", logic: parent, restart: "permanent", shutdownMs: 100 }))
      yield* send("root/a", "crash")
      assert.strictEqual((yield* waitFor("root/a", "off")).restarts, 0)
      assert.deepStrictEqual(steps, ["feed stopped"])
    }).pipe(Effect.provide(ActorSystem.layer)))
})

describe("what throws beside a machine is contained", () => {
  it.effect("subscribers of an actor and handlers of what it emits", () =>
    Effect.gen(function*() {
      const fail = (where: string) => () => {
        throw new Error(where)
      }
      const nested = createMachine({ id: "nested", on: { ping: {} } })
      const host = setup({
        types: { context: {} as { child: ActorRefFrom<typeof nested>; pings: number }, emitted: {} as { type: "heard" } },
        actors: { nested }
      }).createMachine({
        id: "host",
        context: ({ spawn }) => ({ child: spawn("nested", { id: "nested" }), pings: 0 }),
        entry: [
          ({ self }) => { self.subscribe({ next: fail("in next"), complete: fail("in complete") }) },
          ({ context }) => { context.child.subscribe(fail("in a subscriber of the child")) },
          ({ self }) => { self.on("heard", fail("in a handler")) }
        ],
        on: {
          ping: { actions: [emit({ type: "heard" }), ({ context }) => context.child.send({ type: "ping" }), assign({ pings: 1 })] }
        }
      })
      const uncaught = yield* uncaughtBy(Effect.gen(function*() {
        const root = yield* supervise(machineChild({ id: "a", logic: host, restart: "permanent", shutdownMs: 100 }))
        yield* send("root/a", "ping")
        yield* waitForStatus("root/a", "running")
        yield* ActorSystem.use((actors) => actors.waitFor("root/a", (_, context) => context.pings === 1))
        yield* root.stopChild("a")
      }))
      assert.deepStrictEqual(uncaught, [])
      assert.deepStrictEqual((yield* history("root/a")).filter((kind) => kind === "crashed"), [])
      assert.sameMembers([...new Set(yield* details("root/a", "contained"))], [
        "Error: in next", "Error: in a handler", "Error: in a subscriber of the child", "Error: in complete"
      ])
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("finalizers of what a machine invoked", () =>
    Effect.gen(function*() {
      const bridge = yield* Bridge.make()
      const job = bridge.fromEffect<string, string, { name: string }>(() => Effect.onInterrupt(Effect.never, () => Effect.die("finalizer failed")))
      const uncaught = yield* uncaughtBy(Effect.gen(function*() {
        const root = yield* supervise(worker("a", { logic: workerMachine.provide({ actors: { job } }) }))
        yield* send("root/a", "invoke")
        yield* waitFor("root/a", "busy")
        yield* root.stopChild("a")
      }))
      assert.deepStrictEqual(uncaught, [])
      assert.deepStrictEqual(yield* details("root/a", "contained"), ["finalizer failed"])
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("a predicate of waitFor: the caller's defect, and nobody else's", () =>
    Effect.gen(function*() {
      yield* supervise(worker("a"))
      const exit = yield* Effect.exit(ActorSystem.use((actors) => actors.waitFor("root/a", () => { throw new Error("bad predicate") })))
      assert.strictEqual(exit._tag, "Failure")
      yield* send("root/a", "invoke")
      yield* waitForStatus("root/a", "running")
    }).pipe(Effect.provide(ActorSystem.layer)))
})

describe("waiting across a crash", () => {
  it.effect("the state that a machine crashed in counts no more", () =>
    Effect.gen(function*() {
      const bridge = yield* Bridge.make()
      const job = bridge.fromEffect<string, string, { name: string }>(() => Effect.never)
      yield* Supervisor.start({
        address: "root", strategy: "oneForOne", intensity: { restarts: 3, withinMs: 10_000 }, backoff: { initialMs: 100, maxMs: 100 },
        children: [worker("a", { logic: workerMachine.provide({ actors: { job } }) })]
      })
      yield* send("root/a", "invoke")
      yield* waitFor("root/a", "busy")
      yield* send("root/a", "crash.action")
      yield* waitForStatus("root/a", "restarting")
      const waiting = yield* Effect.forkChild(waitFor("root/a", "busy"), { startImmediately: true })
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust(100)
      yield* send("root/a", "invoke")
      assert.strictEqual((yield* Fiber.join(waiting)).restarts, 1)
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("waitFor goes on until the restarted machine gets there", () =>
    Effect.gen(function*() {
      const reached = yield* Deferred.make<string>()
      yield* supervise(worker("a"))
      yield* Effect.forkChild(Effect.flatMap(waitFor("root/a", "busy"), (actor) => Deferred.succeed(reached, actor.state)), { startImmediately: true })
      yield* send("root/a", "crash.action")
      yield* restarted("root/a", 1)
      yield* send("root/a", "invoke")
      assert.strictEqual(yield* Deferred.await(reached), "busy")
    }).pipe(Effect.provide(ActorSystem.layer)))
})
