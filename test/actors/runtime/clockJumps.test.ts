/** Somebody sets the wall clock: windows, back-offs and deadlines go by the time that has passed. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { ActorSystem } from "../../../src/actors/runtime/ActorSystem.ts"
import * as Bridge from "../../../src/actors/runtime/bridge.ts"
import type { SupervisorOptions } from "../../../src/actors/runtime/ChildSpec.ts"
import * as Supervisor from "../../../src/actors/runtime/Supervisor.ts"
import { history, restarted, send, snapshot, waitFor, waitForStatus, worker, workerMachine } from "./worker.ts"

const hour = 3_600_000

/** An actor system by TestClock, whose wall clock `jump` sets forward or back. */
const withJumps = <E>(test: (jump: (ms: number) => void) => Effect.Effect<void, E, ActorSystem | Scope.Scope>) =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    let skew = 10 * hour
    const wall: Clock.Clock = Object.assign(Object.create(clock) as Clock.Clock, { currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + skew })
    yield* test((ms) => { skew += ms }).pipe(Effect.provide(ActorSystem.layer), Effect.provideService(Clock.Clock, wall))
  })

const supervise = (options: Pick<SupervisorOptions, "intensity" | "backoff">) =>
  Supervisor.start({ address: "root", strategy: "oneForOne", children: [worker("a")], ...options })

describe("when the wall clock is set", () => {
  it.effect("back, restarts from before leave the window in time; forward, they do not leave it early", () => withJumps((jump) =>
    Effect.gen(function*() {
      const root = yield* supervise({ intensity: { restarts: 1, withinMs: 1000 } })
      yield* send("root/a", "crash.action")
      yield* restarted("root/a", 1)
      jump(-hour)
      yield* TestClock.adjust(1000)
      yield* send("root/a", "crash.action")
      yield* restarted("root/a", 2)
      jump(hour)
      yield* TestClock.adjust(999)
      yield* send("root/a", "crash.action")
      assert.strictEqual((yield* Effect.flip(root.failed)).child, "root/a")
    })))

  it.effect("back, the back-off starts over after a good run; forward, only then", () => withJumps((jump) =>
    Effect.gen(function*() {
      yield* supervise({ intensity: { restarts: Infinity, withinMs: 1 }, backoff: { initialMs: 100, maxMs: 300 } })
      const crashAndWait = Effect.fnUntraced(function*(ms: number) {
        const { restarts } = yield* snapshot("root/a")
        yield* send("root/a", "crash.action")
        yield* waitForStatus("root/a", "restarting")
        yield* TestClock.adjust(ms - 1)
        assert.strictEqual((yield* snapshot("root/a")).status, "restarting")
        yield* TestClock.adjust(1)
        yield* restarted("root/a", restarts + 1)
      })
      yield* crashAndWait(100)
      jump(-hour)
      yield* TestClock.adjust(300)
      yield* crashAndWait(100)
      jump(hour)
      yield* crashAndWait(200)
    })))

  it.effect("back, a shutdown ends at its deadline", () => withJumps((jump) =>
    Effect.gen(function*() {
      const bridge = yield* Bridge.make()
      const job = bridge.fromEffect<string, string, { name: string }>(() => Effect.onInterrupt(Effect.never, () => Effect.never))
      const root = yield* Supervisor.start({
        address: "root", strategy: "oneForOne", intensity: { restarts: 1, withinMs: 1000 },
        children: [worker("stuck", { logic: workerMachine.provide({ actors: { job } }), stopEvent: { type: "leave" }, shutdownMs: 1000 })]
      })
      yield* send("root/stuck", "invoke")
      yield* waitFor("root/stuck", "busy")
      const stopping = yield* Effect.forkChild(root.stopChild("stuck"))
      yield* waitFor("root/stuck", "leaving")
      jump(-hour)
      yield* TestClock.adjust(999)
      assert.strictEqual((yield* snapshot("root/stuck")).status, "stopping")
      yield* TestClock.adjust(1)
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(yield* history("root/stuck"), ["started", "deadline", "deadline", "stopped", "removed"])
    })))

  it.effect("what is shown goes by it", () => withJumps((jump) =>
    Effect.gen(function*() {
      yield* supervise({ intensity: { restarts: 1, withinMs: 1000 } })
      assert.strictEqual((yield* snapshot("root/a")).since, 10 * hour)
      jump(-hour)
      yield* send("root/a", "invoke")
      assert.strictEqual((yield* waitFor("root/a", "busy")).since, 9 * hour)
    })))
})
