import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { difference } from "../../src/domain/difference.ts"

const items = Schema.Array(Schema.Literals([1, 2, 3]))

describe("difference", () => {
  it.prop("leaves out the same from both, and all that they have in common at their ends", [items, items, items, items], ([start, b, a, end]) => {
    const before = [...start, ...b, ...end], after = [...start, ...a, ...end]
    const found = difference(before, after)
    const shared = before.length - found.before.length
    assert.strictEqual(after.length - found.after.length, shared)
    assert.isAtLeast(shared, start.length + end.length)
    const put = (middle: ReadonlyArray<number>) => Array.from({ length: shared + 1 }, (_, head) => [...before.slice(0, head), ...middle, ...before.slice(before.length - shared + head)])
    assert.isTrue(put(found.before).some((list, head) => `${list}` === `${before}` && `${put(found.after)[head]}` === `${after}`))
    if (found.before.length > 0 && found.after.length > 0) assert.isTrue(found.before[0] !== found.after[0] && found.before.at(-1) !== found.after.at(-1))
  })

  it("compares by identity", () => {
    const [a, b, c, d] = [{ n: 1 }, { n: 2 }, { n: 3 }, { n: 2 }]
    assert.deepStrictEqual(difference([a, b, c], [a, d, c]), { before: [b], after: [d] })
    assert.deepStrictEqual(difference([a, b], [a, b]), { before: [], after: [] })
    assert.deepStrictEqual(difference([a, a], [a, a, a]), { before: [], after: [a] })
  })
})
