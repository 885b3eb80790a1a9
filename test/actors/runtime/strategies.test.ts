import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { ActorSystem } from "../../../src/actors/runtime/ActorSystem.ts"
import { type Backoff, type ChildSpec, type Intensity, type Strategy, supervisorChild } from "../../../src/actors/runtime/ChildSpec.ts"
import * as Supervisor from "../../../src/actors/runtime/Supervisor.ts"
import { history, restarted, send, snapshot, tree, waitFor, waitForStatus, worker } from "./worker.ts"

const intensity: Intensity = { restarts: 5, withinMs: 10_000 }

const supervise = (strategy: Strategy, children: ReadonlyArray<ChildSpec>, options: { intensity?: Intensity; backoff?: Backoff } = {}) =>
  Supervisor.start({ address: "root", strategy, intensity, ...options, children })

const three = [worker("a"), worker("b"), worker("c")]

/** The addresses that were started, and stopped, since the start of the tree. */
const startsAndStops = ActorSystem.use((actors) =>
  Effect.sync(() =>
    actors.journal.entries().filter((entry) => entry.kind === "started" || entry.kind === "stopped").slice(4)
      .map((entry) => `${entry.kind === "started" ? "+" : "-"}${entry.address.slice(5)}`)))

describe("strategies", () => {
  const cases: ReadonlyArray<readonly [Strategy, Array<string>]> = [
    ["oneForOne", ["+b"]],
    ["oneForAll", ["-c", "-a", "+a", "+b", "+c"]],
    ["restForOne", ["-c", "+b", "+c"]]
  ]
  for (const [strategy, expected] of cases) {
    it.effect(`${strategy} restarts ${expected.filter((step) => step.startsWith("+")).join(" ")} when b crashes, siblings stopped in reverse`, () =>
      Effect.gen(function*() {
        yield* supervise(strategy, three)
        yield* send("root/b", "crash.action")
        yield* restarted("root/b", 1)
        assert.deepStrictEqual(yield* startsAndStops, expected)
        assert.deepStrictEqual((yield* tree).map((actor) => actor.state), ["running", "idle", "idle", "idle"])
      }).pipe(Effect.provide(ActorSystem.layer)))
  }

  it.effect("permanent is restarted also after its end, transient only after a crash, temporary never", () =>
    Effect.gen(function*() {
      yield* supervise("oneForOne", [
        worker("permanent"),
        worker("transient", { restart: "transient", showOutput: true }),
        worker("temporary", { restart: "temporary" })
      ])
      for (const id of ["permanent", "transient", "temporary"]) yield* send(`root/${id}`, "work")
      yield* send("root/transient", "crash.action")
      yield* restarted("root/transient", 1)
      for (const id of ["permanent", "transient", "temporary"]) yield* send(`root/${id}`, "done")
      yield* restarted("root/permanent", 1)
      const ended = yield* waitFor("root/transient", "finished")
      assert.deepStrictEqual([ended.state, ended.restarts, ended.output], ["finished", 1, { count: 0 }])
      yield* waitForStatus("root/transient", "ended")
      assert.deepStrictEqual((yield* tree).map((actor) => [actor.address, actor.status]), [
        ["root", "running"], ["root/permanent", "running"], ["root/transient", "ended"]
      ])
      const gone = yield* Effect.flip(send("root/transient", "work"))
      assert.deepInclude(gone, { _tag: "AddressGone", reason: "ended" })
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("temporary siblings that a group restart took down stay down", () =>
    Effect.gen(function*() {
      yield* supervise("oneForAll", [worker("a"), worker("b", { restart: "temporary" })])
      yield* send("root/a", "crash.action")
      yield* restarted("root/a", 1)
      assert.deepStrictEqual((yield* tree).map((actor) => actor.address), ["root", "root/a"])
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("the end of a significant child ends its supervisor", () =>
    Effect.gen(function*() {
      const root = yield* supervise("oneForOne", [supervisorChild({
        id: "group", strategy: "oneForOne", intensity, restart: "transient", shutdownMs: 1000,
        children: [worker("main", { restart: "transient", significant: true }), worker("helper")]
      })])
      yield* send("root/group/main", "done")
      yield* waitForStatus("root/group", "ended")
      assert.deepStrictEqual((yield* tree).map((actor) => [actor.address, actor.status]), [["root", "running"], ["root/group", "ended"]])
      assert.deepStrictEqual(yield* history("root/group/helper"), ["started", "stopped", "removed"])
      yield* root.startChild(worker("only", { restart: "temporary", significant: true }))
      yield* send("root/only", "done")
      yield* root.ended
      assert.deepStrictEqual((yield* tree).map((actor) => [actor.address, actor.status]), [["root", "ended"]])
    }).pipe(Effect.provide(ActorSystem.layer)))
})

describe("significant children", () => {
  const group = (...children: ReadonlyArray<ChildSpec>) => supervise("oneForOne", [supervisorChild({
    id: "group", strategy: "oneForAll", intensity, restart: "transient", shutdownMs: 1000, children
  })])

  it.effect("that crash and are restarted end nothing; a temporary one ends its supervisor also by a crash", () =>
    Effect.gen(function*() {
      yield* group(worker("a", { restart: "transient", significant: true }), worker("b", { restart: "temporary", significant: true }))
      yield* send("root/group/a", "crash.action")
      yield* restarted("root/group/a", 1)
      assert.deepStrictEqual((yield* tree).map((actor) => actor.address), ["root", "root/group", "root/group/a"])
      const { startChild } = yield* ActorSystem.use((actors) => actors.supervisor("root/group"))
      yield* startChild(worker("b", { restart: "temporary", significant: true }))
      yield* send("root/group/b", "crash.action")
      yield* waitForStatus("root/group", "ended")
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("that are stopped by request end nothing", () =>
    Effect.gen(function*() {
      yield* group(worker("a", { restart: "transient", significant: true }), worker("b"))
      const { stopChild } = yield* ActorSystem.use((actors) => actors.supervisor("root/group"))
      yield* stopChild("a")
      yield* send("root/group/b", "work")
      assert.deepStrictEqual((yield* tree).map(({ address, status }) => `${address} ${status}`), ["root running", "root/group running", "root/group/b running"])
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("end a permanent supervisor only for its parent to start it again", () =>
    Effect.gen(function*() {
      yield* supervise("oneForOne", [supervisorChild({
        id: "group", strategy: "oneForOne", intensity, restart: "permanent", shutdownMs: 1000, children: [worker("a", { restart: "transient", significant: true }), worker("b")]
      })])
      yield* send("root/group/a", "done")
      yield* restarted("root/group", 1)
      assert.deepStrictEqual((yield* tree).map((actor) => actor.address), ["root", "root/group", "root/group/a", "root/group/b"])
    }).pipe(Effect.provide(ActorSystem.layer)))
})

describe("restart intensity", () => {
  it.effect("more restarts than allowed within the window stop everything below and fail the root", () =>
    Effect.gen(function*() {
      const root = yield* supervise("oneForOne", three, { intensity: { restarts: 2, withinMs: 1000 } })
      for (let times = 1; times <= 2; times++) {
        yield* send("root/b", "crash.action")
        yield* restarted("root/b", times)
      }
      yield* send("root/b", "crash.action")
      const failure = yield* Effect.flip(root.failed)
      assert.deepInclude(failure, { _tag: "SupervisorFailed", address: "root", child: "root/b", restarts: 2, withinMs: 1000 })
      assert.match(failure.message, /gave up: more than 2 restarts within 1000 ms.*root\/b.*boom in an action/)
      assert.deepStrictEqual((yield* tree).map((actor) => [actor.address, actor.status]), [["root", "ended"]])
      const refused = yield* Effect.flip(root.startChild(worker("d")))
      assert.strictEqual(refused._tag, "AddressGone")
      yield* root.stopChild("a")
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("of none at all: the first crash is one too many; an end that needs no restart is none", () =>
    Effect.gen(function*() {
      const root = yield* supervise("oneForAll", [worker("a"), worker("b", { restart: "transient" }), worker("c", { restart: "temporary" })], { intensity: { restarts: 0, withinMs: 1000 } })
      yield* send("root/b", "done")
      yield* waitForStatus("root/b", "ended")
      yield* send("root/c", "crash.action")
      while ((yield* tree).length > 3) yield* Effect.yieldNow
      assert.strictEqual((yield* snapshot("root")).status, "running")
      yield* send("root/a", "crash.action")
      assert.strictEqual((yield* Effect.flip(root.failed)).child, "root/a")
      assert.match((yield* snapshot("root")).lastError ?? "", /^SupervisorFailed: Supervisor "root" gave up/)
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("counts a group as one restart, and a restart at the very end of the window as outside it", () =>
    Effect.gen(function*() {
      yield* supervise("oneForAll", three, { intensity: { restarts: 1, withinMs: 1000 } })
      for (let times = 1; times <= 3; times++) {
        yield* send("root/b", "crash.action")
        yield* restarted("root/c", times)
        yield* TestClock.adjust(1000)
      }
      yield* send("root/a", "crash.action")
      yield* restarted("root/a", 4)
      yield* TestClock.adjust(999)
      yield* send("root/a", "crash.action")
      yield* waitForStatus("root", "ended")
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("the window slides", () =>
    Effect.gen(function*() {
      yield* supervise("oneForOne", three, { intensity: { restarts: 1, withinMs: 1000 } })
      for (let times = 1; times <= 5; times++) {
        yield* send("root/b", "crash.action")
        yield* restarted("root/b", times)
        yield* TestClock.adjust("1 second")
      }
      assert.strictEqual((yield* snapshot("root")).status, "running")
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("escalates level by level: the parent restarts the supervisor that gave up, then gives up itself", () =>
    Effect.gen(function*() {
      const root = yield* supervise("oneForOne", [
        worker("sibling"),
        supervisorChild({
          id: "inner", strategy: "oneForOne", intensity: { restarts: 1, withinMs: 1000 }, restart: "permanent", shutdownMs: 1000,
          children: [worker("b"), worker("c")]
        })
      ], { intensity: { restarts: 1, withinMs: 1000 } })
      const failed = yield* Effect.forkChild(root.failed)
      const crash = Effect.gen(function*() {
        const before = (yield* history("root/inner/b")).filter((kind) => kind === "started").length
        yield* send("root/inner/b", "crash.action")
        while ((yield* history("root/inner/b")).filter((kind) => kind === "started").length === before) yield* Effect.yieldNow
      })
      yield* crash
      yield* crash
      yield* waitFor("root/inner", "running")
      assert.deepStrictEqual((yield* tree).map((actor) => [actor.address, actor.restarts]), [
        ["root", 0], ["root/sibling", 0], ["root/inner", 1], ["root/inner/b", 0], ["root/inner/c", 0]
      ])
      assert.match((yield* snapshot("root/inner")).lastError ?? "", /SupervisorFailed: Supervisor "root\/inner" gave up/)
      yield* crash
      yield* send("root/inner/b", "crash.action")
      const exit = yield* Fiber.await(failed)
      assert.isTrue(Exit.isFailure(exit))
      assert.deepStrictEqual((yield* tree).map((actor) => actor.address), ["root"])
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("backs off: the wait doubles up to its limit, and starts over after a good run", () =>
    Effect.gen(function*() {
      yield* supervise("oneForOne", three, { intensity: { restarts: Infinity, withinMs: 1 }, backoff: { initialMs: 100, maxMs: 300 } })
      const crashAndWait = Effect.fnUntraced(function*(ms: number) {
        const { restarts } = yield* snapshot("root/b")
        yield* send("root/b", "crash.action")
        yield* waitForStatus("root/b", "restarting")
        assert.deepInclude(yield* Effect.flip(send("root/b", "work")), { _tag: "AddressGone", reason: "restarting" })
        yield* TestClock.adjust(ms - 1)
        assert.strictEqual((yield* snapshot("root/b")).status, "restarting")
        assert.strictEqual((yield* snapshot("root/a")).status, "running")
        yield* TestClock.adjust(1)
        yield* restarted("root/b", restarts + 1)
      })
      yield* crashAndWait(100)
      yield* crashAndWait(200)
      yield* crashAndWait(300)
      yield* crashAndWait(300)
      yield* TestClock.adjust(300)
      yield* crashAndWait(100)
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("a child that waits for its restart can be stopped, and stays stopped", () =>
    Effect.gen(function*() {
      const root = yield* supervise("restForOne", three, { backoff: { initialMs: 100, maxMs: 100 } })
      yield* send("root/a", "crash.action")
      yield* waitForStatus("root/c", "restarting")
      yield* root.stopChild("b")
      yield* TestClock.adjust(100)
      yield* restarted("root/c", 1)
      assert.deepStrictEqual((yield* tree).map((actor) => [actor.address, actor.status]), [
        ["root", "running"], ["root/a", "running"], ["root/c", "running"]
      ])
    }).pipe(Effect.provide(ActorSystem.layer)))
})
