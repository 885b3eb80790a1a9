/** What a policy would have meant for recorded streams and refusals. */
import { assert, describe, it } from "@effect/vitest"
import type { Flow, Refusal } from "../../src/domain/Flow.ts"
import { groupOf } from "../../src/domain/Flow/groups.ts"
import type { Rule } from "../../src/domain/Network.ts"
import { changesNothing, replay } from "../../src/domain/PolicyReplay.ts"
import type { Topology } from "../../src/domain/Topology.ts"
import { flow, refusal, ruleId, topology, webId } from "../harness/sampleFlows.ts"

const now = 10_000
const rule = { id: ruleId, from: "any", to: "api", ports: "9090", expiresAt: null, comment: null } as Rule
const tried = (at: Topology, flows: ReadonlyArray<Flow>, refusals: ReadonlyArray<Refusal> = []) => replay({ groups: flows.map(groupOf), refusals, left: { flows: 0, refusals: 0 }, agents: [] }, at, [rule], now)
const any = { _tag: "Any" }

describe("replay", () => {
  it("streams without a rule are told once for each source, alias and port, with the rules that they rested on", () => {
    const found = tried(topology(), [flow(), flow({ id: "s-2", openedAt: 3000 }), flow({ id: "s-3", port: 9090, rules: [] })])
    assert.deepStrictEqual(found.wouldRefuse, [
      { sourceId: webId, source: "sandbox:web", alias: "api", port: 8080, count: 2, lastAt: 3000, rules: [ruleId] },
      { sourceId: webId, source: "sandbox:web", alias: "api", port: 9090, count: 1, lastAt: 1000, rules: [] }
    ])
    assert.deepStrictEqual([found.judged, found.oldestAt, found.left], [{ flows: 3, refusals: 0 }, 1000, { flows: 0, refusals: 0 }])
  })

  it("refused attempts are counted together from both ends, with the rule that would let them through", () => {
    const found = tried(topology({ source: any, port: 9090 }), [], [refusal(), refusal({ by: "target", count: 2, lastAt: 4000 }), refusal({ port: 8080 })])
    assert.deepStrictEqual(found.wouldAllow, [
      { sourceId: webId, source: "sandbox:web", alias: "api", port: 9090, count: 5, lastAt: 4000, rules: [{ from: "any", to: "api" as never, ports: "9090" }] }
    ])
    assert.deepStrictEqual(found.judged, { flows: 0, refusals: 8 })
  })

  it("what stays as it was is not told, and a rule whose time is over is none", () => {
    assert.isTrue([tried(topology({ source: any, port: 8080 }), [flow()], [refusal()])].every((found) => found.wouldRefuse.length + found.wouldAllow.length === 0))
    assert.strictEqual(tried(topology({ source: any, port: 8080, expiresAt: now }), [flow()]).wouldRefuse.length, 1)
    const empty = { ...tried(topology(), []), network: "dev" as never, version: 1, since: 0 }
    assert.deepStrictEqual([changesNothing(empty), empty.oldestAt], [true, null])
  })

  it("a source, alias or port that is not there any more is counted, not judged", () => {
    const found = tried(topology(), [flow({ sourceId: "sbx_gone" }), flow({ aliasId: `als_${"9".repeat(18)}` as never }), flow({ port: 7070 })], [refusal({ port: 0 }), refusal({ aliasId: null, alias: "gone" })])
    assert.deepStrictEqual([found.unjudged, found.judged, found.wouldRefuse, found.wouldAllow], [{ flows: 3, refusals: 6 }, { flows: 0, refusals: 0 }, [], []])
  })

  it("joined machines are judged by their user, also after they left", () => {
    const at = topology({ source: { _tag: "Local", user: "ann" }, port: 8080 })
    const from = (sourceId: string, source: string) => flow({ id: sourceId, sourceId, source })
    const found = tried(at, [from(`lcl_${"0".repeat(18)}`, "local:ann"), from("lcl_left", "local:ann"), from("lcl_bob", "local:bob")])
    assert.deepStrictEqual(found.wouldRefuse.map(({ source }) => source), ["local:bob"])
  })

  it("says how many were not looked at", () => {
    assert.deepStrictEqual(replay({ groups: [], refusals: [], left: { flows: 4, refusals: 5 }, agents: [] }, topology(), [rule], now).left, { flows: 4, refusals: 5 })
  })
})
