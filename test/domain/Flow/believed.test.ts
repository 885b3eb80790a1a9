/** What of an agent's word is believed. */
import { assert, describe, it } from "@effect/vitest"
import { type AliasMetrics, counted } from "../../../src/domain/AliasMetrics.ts"
import type { Flow, Refusal } from "../../../src/domain/Flow.ts"
import { believed, believedMetrics, Owners } from "../../../src/domain/Flow/believed.ts"
import { AgentId, AliasId, NetworkId } from "../../../src/domain/Ids.ts"
import { aliasId, backendId, flow, netId, refusal, webId } from "../../harness/sampleFlows.ts"

const digit = (n: number) => String(n).padStart(18, "0")
const one = AgentId.make(`agt_${digit(1)}`), two = AgentId.make(`agt_${digit(2)}`)
const sandboxes = new Owners([{ id: webId, name: "web", agentId: one }, { id: backendId, name: "backend", agentId: two }])
const aliases = new Owners([{ id: aliasId, name: "api", agentId: two }])
const word = (agent: AgentId, flows: ReadonlyArray<Flow>, refusals: ReadonlyArray<Refusal> = []) => believed({ flows, refusals, lost: 0 }, agent, sandboxes, aliases)
const atTarget = flow({ seenBy: ["target"] }), local = flow({ seenBy: ["source", "target"] })

describe("what is believed of an agent", () => {
  it("streams from its own sandboxes, and to the aliases that it serves", () => {
    assert.deepStrictEqual(word(one, [flow()]), { answer: { flows: [flow()], refusals: [], lost: 0 }, refused: 0 })
    assert.deepStrictEqual(word(two, [atTarget]).answer.flows, [atTarget])
    assert.strictEqual(word(two, [flow()]).refused, 1, "another's sandbox as source")
    assert.strictEqual(word(one, [atTarget]).refused, 1, "another's alias as target")
    assert.strictEqual(word(two, [flow({ seenBy: ["target"], targetId: webId })]).refused, 1, "into another's sandbox")
    assert.strictEqual(word(one, [flow({ sourceId: `lcl_${digit(1)}`, source: "local:ann" })]).refused, 1, "a machine's streams are seen where they go to")
    assert.deepStrictEqual(word(one, [local]).answer.flows, [flow()], "of both ends the one that is its own")
  })

  it("refusals likewise; an alias that has no id is not called as one that is there", () => {
    assert.strictEqual(word(one, [], [refusal()]).refused, 0)
    assert.strictEqual(word(two, [], [refusal({ by: "target" })]).refused, 0)
    const wrong = [refusal({ by: "target" }), refusal({ sourceId: backendId }), refusal({ by: "target", aliasId: null }), refusal({ count: -1 })]
    assert.deepStrictEqual(word(one, [], wrong), { answer: { flows: [], refusals: [], lost: 0 }, refused: wrong.length })
  })

  it("nothing that counts below zero", () => {
    for (const field of ["openedAt", "closedAt", "micros", "connectMicros", "firstByteMicros", "bytesToTarget", "bytesToSource"]) {
      assert.strictEqual(word(one, [flow({ [field]: -1 })]).refused, 1, field)
    }
  })

  it("names are those that are known; what is gone keeps its own, but for one that another has now", () => {
    const sourceOf = (more: Partial<Flow>, agent = one) => word(agent, [flow(more)]).answer.flows.map(({ source }) => source)
    assert.deepStrictEqual(sourceOf({ source: "sandbox:backend" }), ["sandbox:web"])
    assert.deepStrictEqual(sourceOf({ source: "local:ann" }), [webId])
    assert.deepStrictEqual(sourceOf({ sourceId: "sbx_gone", source: "sandbox:old" }), ["sandbox:old"])
    assert.deepStrictEqual(sourceOf({ sourceId: "sbx_gone", source: "sandbox:web" }), ["sandbox:sbx_gone"])
    assert.deepStrictEqual(sourceOf({ seenBy: ["target"], sourceId: `lcl_${digit(1)}`, source: "local:ann" }, two), ["local:ann"])
    const gone = AliasId.make(`als_${digit(7)}`)
    const [moved, copied] = word(one, [flow({ alias: "billing", target: "web" }), flow({ aliasId: gone, alias: "api" })]).answer.flows
    assert.deepStrictEqual([moved?.alias, moved?.target, copied?.alias], ["api", "backend", gone])
  })
})

describe("what is believed of an agent's figures", () => {
  const counts = [flow(), refusal(), flow({ end: "limit" })].reduce<AliasMetrics | undefined>(counted, undefined)!
  const known = { sandboxes, aliases: new Map([[aliasId, { id: aliasId, networkId: netId, name: "api" }]]), takesPart: () => true }

  it("those of aliases that are there, once, by their names; of those that are gone none", () => {
    const gone = { ...counts, aliasId: AliasId.make(`als_${digit(7)}`) }
    assert.deepStrictEqual(believedMetrics([{ ...counts, alias: "anything" }, counts, gone], one, known), { metrics: [counts], refused: 1 })
    assert.strictEqual(believedMetrics([counts], one, { ...known, takesPart: () => false }).refused, 1)
    assert.strictEqual(believedMetrics([{ ...counts, networkId: NetworkId.make(`net_${digit(7)}`) }], one, known).refused, 1)
  })

  it("no number below zero, and no source by name that is another's", () => {
    for (const wrong of [{ opened: -1 }, { refusals: -5 }, { bytesToSource: -1 }, { streams: { ...counts.streams, eof: -1 } }, { connect: { ...counts.connect, sumMicros: -1 } }, { limited: { "sandbox:web": -1 } }]) {
      assert.strictEqual(believedMetrics([{ ...counts, ...wrong }], one, known).refused, 1, JSON.stringify(wrong))
    }
    const [metrics] = believedMetrics([{ ...counts, limited: { "sandbox:web": 2, "sandbox:backend": 3, "x": 4, "local:ann": 5 } }], one, known).metrics
    assert.deepStrictEqual(metrics?.limited, { "sandbox:web": 2, others: 7, "local:ann": 5 })
  })
})
