/** When those are told who follow what this machine knows. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { afterEachChange } from "../../src/local/children.ts"

/** Something ends at `end`; `takes` milliseconds go by in each work. Answers what tells of a change, and when work began. */
const following = Effect.fnUntraced(function*(end: number, takes: number) {
  const begun: Array<number> = []
  const changed = yield* afterEachChange({ onChange: () => () => {}, nextEnd: (now) => end > now ? end : Infinity }, Effect.gen(function*() {
    begun.push(yield* Clock.currentTimeMillis)
    yield* Effect.sleep(takes)
  }))
  return { begun, changed }
})

describe("afterEachChange", () => {
  it.effect("works when it starts, after a change, and when the time of something is over", () => Effect.gen(function*() {
    const { begun, changed } = yield* following(1000, 0)
    yield* TestClock.adjust(300)
    changed()
    yield* TestClock.adjust(700)
    assert.deepStrictEqual(begun, [0, 300, 1000])
  }))

  it.effect("what ends while the work is being done has its turn after it", () => Effect.gen(function*() {
    const { begun, changed } = yield* following(1000, 2)
    yield* TestClock.adjust(999)
    changed() // as a timer does that fires a millisecond early
    yield* TestClock.adjust(1)
    yield* TestClock.adjust(1)
    yield* TestClock.adjust(10)
    assert.deepStrictEqual(begun, [0, 999, 1001])
  }))

  it.effect("looks once a minute, since a machine that sleeps does not count the time", () => Effect.gen(function*() {
    const { begun } = yield* following(Infinity, 0)
    yield* TestClock.adjust(125_000)
    assert.deepStrictEqual(begun, [0, 60_000, 120_000])
  }))
})
