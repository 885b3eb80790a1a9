import { assert, describe, it } from "@effect/vitest"
import { isAskedFor } from "../../../src/domain/Flow.ts"
import { mergeFlows, mergeRefusals, newest } from "../../../src/domain/Flow/together.ts"
import { aliasId, backendId, flow, netId, query, refusal, uncut, webId } from "../../harness/sampleFlows.ts"

describe("flows together", () => {
  const source = flow({ targetId: null, target: "n-2", end: "reset", by: "target", micros: 12 })
  const target = flow({ seenBy: ["target"], end: "revoked", by: null, micros: 11, connectMicros: 3 })

  it("both ends of a stream are one flow, whoever tells first; what explains the end best is believed, the rest is the source's", () => {
    for (const told of [[source, target], [target, source]]) {
      assert.deepStrictEqual(mergeFlows(told), [flow({ seenBy: ["source", "target"], end: "revoked", micros: 12 })])
    }
  })

  it("one that is over at one end is over", () => {
    const open = flow({ closedAt: null, end: null })
    assert.deepStrictEqual(mergeFlows([open, flow({ seenBy: ["target"], end: "reset", by: "source" })]), [flow({ seenBy: ["source", "target"], end: "reset", by: "source" })])
    assert.strictEqual(mergeFlows([open, flow({ seenBy: ["target"], closedAt: null, end: null })])[0]!.end, null)
  })

  it("a stream of another source, alias or port does not get into one's place by its id", () => {
    for (const other of [{ sourceId: backendId }, { port: 1 }, { aliasId: aliasId.replace(/.$/, "2") as typeof aliasId }]) {
      assert.lengthOf(mergeFlows([flow(), flow({ seenBy: ["target"], ...other })]), 2)
    }
    assert.deepStrictEqual(mergeFlows([flow(), flow({ micros: 1 })]), [flow()], "the same end told twice")
  })

  it("oldest end first, open ones last", () => {
    const flows = [flow({ id: "open", closedAt: null, openedAt: 1 }), flow({ id: "b", closedAt: 20 }), flow({ id: "a", closedAt: 10 })]
    assert.deepStrictEqual(mergeFlows(flows).map(({ id }) => id), ["a", "b", "open"])
  })

  it("of many the newest of each kind: however many are open, those that ended are told; and it is said what was cut", () => {
    const open = Array.from({ length: 5 }, (_, n) => flow({ id: `open ${n}`, closedAt: null, openedAt: n }))
    const ended = [flow({ id: "b", closedAt: 20 }), flow({ id: "a", closedAt: 10 })]
    const all = newest([{ flows: open, refusals: [] }, { flows: ended, refusals: [refusal()] }], { limit: 1 })
    assert.deepStrictEqual([all.flows.map(({ id }) => id), all.refusals.length, all.cut], [["b", "open 4"], 1, { open: true, ended: true, refusals: false }])
    const few = newest([{ flows: [...open, ...ended], refusals: [] }], { limit: 5 })
    assert.deepStrictEqual([few.flows.length, few.cut], [7, uncut])
    assert.deepStrictEqual(newest([{ flows: ended, refusals: [], cut: { ...uncut, refusals: true } }, few], { limit: 5 }).cut, { ...uncut, refusals: true }, "what one of them has cut")
  })

  it("refusals of a pair add up, apart by who refused", () => {
    const merged = mergeRefusals([refusal(), refusal({ by: "target", lastAt: 5000 }), refusal({ count: 4, firstAt: 900, lastAt: 2000 })])
    assert.deepStrictEqual(merged, [refusal({ count: 7, firstAt: 900, lastAt: 2000 }), refusal({ by: "target", lastAt: 5000 })])
    const apart = newest([{ flows: [], refusals: [refusal({ lastAt: 2000 })] }, { flows: [], refusals: [refusal()] }], { limit: 5, apart: true })
    assert.deepStrictEqual(apart.refusals, [refusal(), refusal({ lastAt: 2000 })])
  })
})

describe("what is asked for", () => {
  const asked = (more: Parameters<typeof query>[0]) => isAskedFor(query(more), flow())
  it("by source, alias and port, by name or id", () => {
    for (const source of ["web", "sandbox:web", webId, `sandbox:${webId}`]) assert.isTrue(asked({ source }), source)
    for (const source of ["backend", "local", "sandbox:we", ""]) assert.isFalse(asked({ source }), source)
    assert.isTrue(isAskedFor(query({ source: "local" }), flow({ source: "local:ann" })))
    assert.isFalse(isAskedFor(query({ source: "local:bob" }), flow({ source: "local:ann" })))
    assert.deepStrictEqual([asked({ alias: "api", port: 8080 }), asked({ alias: aliasId }), asked({ alias: "web" }), asked({ port: 80 })], [true, true, false, false])
    assert.isFalse(asked({ networkId: netId.replace(/.$/, "2") as typeof netId }))
  })
  it("denied: what the source's or the target's host refused", () => {
    assert.isFalse(asked({ denied: true }))
    assert.isTrue(isAskedFor(query({ denied: true }), flow({ verdict: "denied" })))
    assert.isTrue(isAskedFor(query({ denied: true }), refusal()))
  })
})
