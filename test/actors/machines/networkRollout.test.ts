import { assert, it } from "@effect/vitest"
import { Result } from "effect"
import { type Distribution, networkRolloutMachine } from "../../../src/actors/machines/networkRollout.ts"
import { AgentId, NetworkId } from "../../../src/domain/Ids.ts"
import { assertAllReached, done } from "../../harness/machinePaths.ts"

const a = AgentId.make("agt_000000000000000001"), b = AgentId.make("agt_000000000000000002")
const round = (behind: ReadonlyArray<AgentId>, removed = false): Distribution => ({ version: 3, removed, participants: 2, behind })

it("counts acknowledgements of the newest version until nobody is behind", () => {
  const { paths } = assertAllReached(networkRolloutMachine, {
    input: { networkId: NetworkId.make("net_000000000000000001") },
    events: [
      { type: "topology.committed" },
      { type: "topology.acknowledged", agentId: a, version: 2 }, { type: "topology.acknowledged", agentId: a, version: 3 }, { type: "topology.acknowledged", agentId: b, version: 3 },
      ...[round([]), round([a, b]), round([], true), round([b], true)].map((found) => done("distribute", Result.succeed(found))),
      done("distribute", Result.fail({ detail: "no database" }))
    ]
  })
  for (const { state } of paths) {
    const { behind, acknowledged, version } = state.context
    if (state.value === "applied" || state.value === "closed") assert.deepStrictEqual(behind, [])
    if (state.value === "applying") assert.isNotEmpty(behind)
    if (state.value === "applying") for (const agent of behind) assert.isBelow(acknowledged[agent] ?? 0, version)
  }
})
