import { assert, describe, it } from "vitest"
import { OnceAMinute } from "../../src/domain/OnceAMinute.ts"

describe("a log's line about the same thing", () => {
  it("comes once a minute, and counts what came between", () => {
    const log = new OnceAMinute()
    assert.strictEqual(log.due("a", 1, 0), 1)
    for (let n = 0; n < 2000; n++) assert.isUndefined(log.due("a", 1, 59_999))
    assert.strictEqual(log.due("b", 3, 59_999), 3)
    assert.strictEqual(log.due("a", 1, 60_000), 2001)
    assert.isUndefined(log.due("a", 1, 60_001))
  })

  it("is due after a clock was set back", () => {
    const log = new OnceAMinute()
    log.due("a", 1, 1_000_000)
    assert.strictEqual(log.due("a", 1, 5), 1)
  })

  it("is forgotten only for many that are newer", () => {
    const log = new OnceAMinute()
    log.due("a", 1, 0)
    for (let n = 0; n < 4095; n++) log.due(`other ${n}`, 1, 1)
    assert.isUndefined(log.due("a", 1, 2))
    log.due("one more", 1, 3)
    assert.strictEqual(log.due("a", 1, 4), 1)
  })
})
