/** Which open streams a change would end. */
import { assert, describe, it } from "@effect/vitest"
import { countOf, cutFlows } from "../../src/domain/CutFlows.ts"
import type { Flow } from "../../src/domain/Flow.ts"
import type { Topology } from "../../src/domain/Topology.ts"
import { groupOf } from "../../src/domain/Flow/groups.ts"
import { backendId, flow, ruleId, topology, webId } from "../harness/sampleFlows.ts"

const now = 10_000
const any = { source: { _tag: "Any" }, port: 8080 }
const before = topology(any, { source: { _tag: "Local" }, port: 8080 })
const open = (more: Partial<Flow> = {}) => flow({ closedAt: null, end: null, ...more })
const cutBy = (after: Topology, ...flows: ReadonlyArray<Flow>) => cutFlows({ groups: flows.map(groupOf), left: { flows: 0, refusals: 0 }, agents: [] }, before, after, now)

describe("cut streams", () => {
  it("those that no rule allows afterwards, once for each source, alias and port, with the rules that they rest on", () => {
    const found = cutBy(topology(), open(), open({ id: "s-2", openedAt: 3000 }), open({ id: "s-3", sourceId: "lcl_ann", source: "local:ann" }))
    assert.deepStrictEqual(found.cut, [
      { sourceId: webId, source: "sandbox:web", alias: "api", port: 8080, count: 2, lastAt: 3000, rules: [ruleId] },
      { sourceId: "lcl_ann", source: "local:ann", alias: "api", port: 8080, count: 1, lastAt: 1000, rules: [ruleId] }
    ])
    assert.strictEqual(countOf(found), 3)
  })

  it("not those that another rule still allows, or that were not allowed before", () => {
    assert.deepStrictEqual(cutBy(topology({ source: { _tag: "Sandbox", sandboxId: webId }, port: 8080 }), open()).cut, [])
    assert.deepStrictEqual(cutBy(topology(), open({ port: 9090 }), open({ sourceId: "sbx_gone" })).cut, [])
  })

  it("those whose alias, port, place or source is gone, though the rule stays", () => {
    const [alias] = before.aliases
    for (const after of [
      { ...before, aliases: [] }, { ...before, aliases: [{ ...alias!, ports: [] }] }, { ...before, aliases: [{ ...alias!, sandboxId: webId }] },
      { ...before, members: before.members.filter(({ id }) => id === backendId) }
    ]) assert.strictEqual(countOf(cutBy(after, open())), 1)
  })

  it("says how many were not looked at, and who did not answer", () => {
    const agents = [{ agent: "host-1", problem: "away", lost: 3 }]
    assert.deepStrictEqual(cutFlows({ groups: [], left: { flows: 7, refusals: 9 }, agents }, before, before, now), { cut: [], left: 7, agents: [{ agent: "host-1", problem: "away" }] })
  })
})
