/** Streams and attempts added up: however many they are, by who talks to whom. */
import { assert, describe, it } from "@effect/vitest"
import type { Flow } from "../../../src/domain/Flow.ts"
import { believedGroups, Owners } from "../../../src/domain/Flow/believed.ts"
import { addTo, bothEnds, type FlowGroup, groupOf, mostFrequent, mostRules } from "../../../src/domain/Flow/groups.ts"
import { AgentId, RuleId } from "../../../src/domain/Ids.ts"
import { aliasId, backendId, flow, refusal, webId } from "../../harness/sampleFlows.ts"

const addedUp = (...flows: ReadonlyArray<Partial<Flow>>): ReadonlyArray<FlowGroup> => {
  const groups = new Map<string, FlowGroup>()
  for (const one of flows) addTo(groups, groupOf(flow(one)))
  return [...groups.values()]
}

describe("groups of streams", () => {
  it("hold what one source sent to one alias and port, as one end saw it, with when and by which rules", () => {
    const rules = Array.from({ length: mostRules + 6 }, (_, n) => RuleId.make(`rul_${String(n).padStart(18, "0")}`))
    const groups = addedUp(...rules.map((rule, n) => ({ rules: [rule], openedAt: 5000 - n })), { port: 9090 }, { seenBy: ["target"] })
    assert.deepStrictEqual(groups.map(({ port, seenBy, count, firstAt, lastAt }) => [port, seenBy.join(), count, firstAt, lastAt]), [
      [8080, "source", rules.length, 5000 - rules.length + 1, 5000], [9090, "source", 1, 1000, 1000], [8080, "target", 1, 1000, 1000]
    ])
    assert.deepStrictEqual(groups[0]!.rules, rules.slice(0, mostRules))
  })

  it("of both ends count once, and what only one of them knows is not lost", () => {
    const told = [...addedUp({}, {}, {}), ...addedUp({ seenBy: ["target"] }, { seenBy: ["target"] }), ...addedUp({ port: 9090, seenBy: ["target"] }), ...addedUp({ sourceId: backendId, seenBy: ["source", "target"] })]
    assert.deepStrictEqual(bothEnds(told).map(({ sourceId, port, count }) => [sourceId, port, count]), [[webId, 8080, 3], [webId, 9090, 1], [backendId, 8080, 1]])
    assert.deepStrictEqual(bothEnds([...told].reverse()).map(({ count }) => count), [1, 1, 3])
  })

  it("are told in bounds, the greatest first, and how many the rest stands for", () => {
    const groups = [3, 9, 1, 5].map((count) => ({ count }))
    assert.deepStrictEqual(mostFrequent(groups, 2), { kept: [{ count: 9 }, { count: 5 }], left: 4 })
    assert.deepStrictEqual(mostFrequent(groups, 4), { kept: groups, left: 0 })
  })

  it("are believed only of what the agent hosts and serves", () => {
    const [mine, others] = [AgentId.make(`agt_${"0".repeat(18)}`), AgentId.make(`agt_${"1".repeat(18)}`)]
    const sandboxes = new Owners([{ id: webId, name: "web", agentId: mine }, { id: backendId, name: "backend", agentId: others }])
    const aliases = new Owners([{ id: aliasId, name: "api", agentId: others }])
    const groups = addedUp({ source: "sandbox:forged", seenBy: ["source", "target"] }, { sourceId: backendId }, { sourceId: backendId, seenBy: ["target"] })
    const found = believedGroups({ groups: [...groups, { ...groups[0]!, count: -1 }], refusals: [refusal(), refusal({ by: "target" })] }, mine, sandboxes, aliases)
    assert.deepStrictEqual(found.groups.map(({ source, seenBy }) => [source, seenBy]), [["sandbox:web", ["source"]]])
    assert.deepStrictEqual([found.refusals.map(({ by }) => by), found.refused], [["source"], 4])
  })
})
