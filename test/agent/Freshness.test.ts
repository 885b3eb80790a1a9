import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Freshness } from "../../src/agent/Freshness.ts"
import { Knowledge } from "../../src/agent/Knowledge.ts"
import { configIn, temporaryFolder } from "./settings.ts"

const agentIn = (folder: string) => Effect.gen(function*() {
  const context = yield* Layer.build(Freshness.layer.pipe(Layer.provideMerge(Knowledge.layer), Layer.provide(configIn(folder, { topologyMaxAgeMs: 60_000 }))))
  return { freshness: Context.get(context, Freshness), knowledge: Context.get(context, Knowledge) }
})

describe("freshness", () => {
  it.effect("is lost an age limit after the last contact, and comes back with the next", () => Effect.gen(function*() {
    const { freshness, knowledge } = yield* agentIn(yield* temporaryFolder)
    const session = yield* Scope.make()
    yield* Scope.provide(freshness.inTouch, session)
    const stale = yield* Effect.forkChild(freshness.untilStale, { startImmediately: true })
    yield* TestClock.adjust("10 minutes")
    assert.isUndefined(stale.pollUnsafe())
    yield* Scope.close(session, Exit.void)
    yield* TestClock.adjust("59 seconds")
    assert.isFalse(knowledge.stale)
    yield* TestClock.adjust("1 second")
    yield* Fiber.join(stale)
    assert.isTrue(knowledge.stale)
    const fresh = yield* Effect.forkChild(freshness.untilFresh, { startImmediately: true })
    yield* freshness.inTouch
    yield* Fiber.join(fresh)
    assert.isFalse(knowledge.stale)
  }))

  it.effect("the limit counts on through a restart of the agent", () => Effect.gen(function*() {
    const folder = yield* temporaryFolder
    yield* Effect.scoped(Effect.flatMap(agentIn(folder), ({ freshness }) => freshness.inTouch))
    yield* TestClock.adjust("59 seconds")
    const second = yield* agentIn(folder)
    assert.isFalse(second.knowledge.stale)
    const stale = yield* Effect.forkChild(second.freshness.untilStale, { startImmediately: true })
    yield* TestClock.adjust("1 second")
    yield* Fiber.join(stale)
    assert.isTrue((yield* agentIn(folder)).knowledge.stale)
  }))

  it.effect("an agent that never had contact grants nothing new", () => Effect.gen(function*() {
    yield* TestClock.adjust("1 hour")
    assert.isTrue((yield* agentIn(yield* temporaryFolder)).knowledge.stale)
  }))

  it.effect("a clock that was set back lengthens nothing, while it runs or at its next start", () => Effect.gen(function*() {
    const folder = yield* temporaryFolder
    yield* TestClock.setTime(10 * 3_600_000)
    const { freshness, knowledge } = yield* agentIn(folder)
    yield* Effect.scoped(freshness.inTouch)
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
