import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, type Duration, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Freshness } from "../../src/agent/Freshness.ts"
import { Knowledge } from "../../src/agent/Knowledge.ts"
import { configIn, temporaryFolder } from "./settings.ts"

const agentIn = (folder: string) => Effect.gen(function*() {
  const context = yield* Layer.build(Freshness.layer.pipe(Layer.provideMerge(Knowledge.layer), Layer.provide(configIn(folder, { topologyMaxAgeMs: 60_000 }))))
  return { freshness: Context.get(context, Freshness), knowledge: Context.get(context, Knowledge) }
})

/** The test's clock with a wall clock that jumps while no timer moves. */
const wallClock = Effect.gen(function*() {
  const timers = yield* Clock.Clock
  let aheadMs = 0
  const wall = () => timers.currentTimeMillisUnsafe() + aheadMs
  const clock: Clock.Clock = {
    currentTimeMillis: Effect.sync(wall), currentTimeMillisUnsafe: wall,
    currentTimeNanos: timers.currentTimeNanos, currentTimeNanosUnsafe: () => timers.currentTimeNanosUnsafe(),
    monotonicTimeNanos: timers.monotonicTimeNanos, monotonicTimeNanosUnsafe: () => timers.monotonicTimeNanosUnsafe(),
    sleep: (duration) => timers.sleep(duration)
  }
  return {
    clock, jump: (ms: number) => { aheadMs += ms },
    timersMove: (by: Duration.Input) => Effect.provideService(TestClock.adjust(by), Clock.Clock, timers)
  }
})

describe("freshness", () => {
  it.effect("is lost an age limit after the last contact, and comes back with the next", () => Effect.gen(function*() {
    const { freshness, knowledge } = yield* agentIn(yield* temporaryFolder)
    const session = yield* Scope.make()
    yield* Scope.provide(freshness.inTouch(0), session)
    const stale = yield* Effect.forkChild(freshness.untilStale, { startImmediately: true })
    yield* TestClock.adjust("10 minutes")
    assert.isUndefined(stale.pollUnsafe())
    yield* freshness.answered(600_000)
    yield* Scope.close(session, Exit.void)
    yield* TestClock.adjust("59 seconds")
    assert.isFalse(knowledge.stale)
    assert.deepStrictEqual(yield* freshness.contact,
      { inTouch: false, frozen: false, limitMs: 60_000, lastAt: new Date(600_000).toISOString(), freezesAt: new Date(660_000).toISOString() })
    yield* TestClock.adjust("1 second")
    yield* Fiber.join(stale)
    assert.isTrue(knowledge.stale)
    assert.deepInclude(yield* freshness.contact, { inTouch: false, frozen: true })
    const fresh = yield* Effect.forkChild(freshness.untilFresh, { startImmediately: true })
    yield* freshness.inTouch(660_000)
    yield* Fiber.join(fresh)
    assert.isFalse(knowledge.stale)
    assert.deepInclude(yield* freshness.contact, { inTouch: true, frozen: false, freezesAt: null })
  }))

  it.effect("the limit counts on through a restart of the agent", () => Effect.gen(function*() {
    const folder = yield* temporaryFolder
    yield* Effect.scoped(Effect.flatMap(agentIn(folder), ({ freshness }) => freshness.inTouch(0)))
    yield* TestClock.adjust("59 seconds")
    const second = yield* agentIn(folder)
    assert.isFalse(second.knowledge.stale)
    const stale = yield* Effect.forkChild(second.freshness.untilStale, { startImmediately: true })
    yield* TestClock.adjust("1 second")
    yield* Fiber.join(stale)
    assert.isTrue((yield* agentIn(folder)).knowledge.stale)
  }))

  describe("a machine that was suspended, whose timers stood still", () => {
    const hour = 3_600_000

    it.effect("is too old when it wakes, within seconds", () => Effect.gen(function*() {
      const wall = yield* wallClock
      yield* Effect.gen(function*() {
        const { freshness, knowledge } = yield* agentIn(yield* temporaryFolder)
        yield* Effect.scoped(freshness.inTouch(0))
        const stale = yield* Effect.forkChild(freshness.untilStale, { startImmediately: true })
        yield* wall.timersMove("10 seconds")
        assert.isFalse(knowledge.stale)
        wall.jump(30 * hour)
        yield* wall.timersMove("30 seconds")
        assert.isTrue(knowledge.stale)
        yield* Fiber.join(stale)
      }).pipe(Effect.provideService(Clock.Clock, wall.clock))
    }))

    it.effect("the end of a connection that it still believed in is no contact, nor is the time that passes", () => Effect.gen(function*() {
      const wall = yield* wallClock
      yield* Effect.gen(function*() {
        const folder = yield* temporaryFolder
        const { freshness, knowledge } = yield* agentIn(folder)
        const session = yield* Scope.make()
        yield* Scope.provide(freshness.inTouch(0), session)
        yield* freshness.answered(5000)
        const stale = yield* Effect.forkChild(freshness.untilStale, { startImmediately: true })
        wall.jump(30 * hour)
        yield* wall.timersMove("2 minutes")
        yield* Scope.close(session, Exit.void)
        yield* wall.timersMove("1 milli")
        assert.isTrue(knowledge.stale)
        yield* Fiber.join(stale)
        assert.deepInclude(yield* freshness.contact, { inTouch: false, frozen: true, lastAt: new Date(5000).toISOString() })
        assert.isTrue((yield* agentIn(folder)).knowledge.stale)
      }).pipe(Effect.provideService(Clock.Clock, wall.clock))
    }))
  })

  it.effect("an agent that never had contact grants nothing new", () => Effect.gen(function*() {
    yield* TestClock.adjust("1 hour")
    assert.isTrue((yield* agentIn(yield* temporaryFolder)).knowledge.stale)
  }))

  it.effect("a clock that was set back lengthens nothing, while it runs or at its next start", () => Effect.gen(function*() {
    const folder = yield* temporaryFolder
    yield* TestClock.setTime(10 * 3_600_000)
    const { freshness, knowledge } = yield* agentIn(folder)
    yield* Effect.scoped(freshness.inTouch(10 * 3_600_000))
    assert.isFalse(knowledge.stale)
    const stale = yield* Effect.forkChild(freshness.untilStale, { startImmediately: true })
    const back = { ...(yield* Clock.Clock), currentTimeMillis: Effect.succeed(3_600_000), currentTimeMillisUnsafe: () => 3_600_000 }
    const later = yield* Effect.provideService(agentIn(folder), Clock.Clock, back)
    assert.isTrue(later.knowledge.stale)
    yield* TestClock.adjust("1 minute")
    yield* Fiber.join(stale)
    assert.isTrue(knowledge.stale)
  }))
})
