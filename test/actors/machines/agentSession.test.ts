import { assert, it } from "@effect/vitest"
import { Result } from "effect"
import { agentSessionMachine } from "../../../src/actors/machines/agentSession.ts"
import { AgentId } from "../../../src/domain/Ids.ts"
import { assertAllReached, done } from "../../harness/machinePaths.ts"

const asked = ["takeStock", "synchronize", "heartbeat"] as const

it("attaches, synchronizes, keeps checking, and closes with the reason", () => {
  const { paths } = assertAllReached(agentSessionMachine, {
    input: { agentId: AgentId.make("agt_000000000000000001"), agent: "host-1" },
    events: [
      { type: "session.stop" }, done("close", Result.void),
      ...asked.flatMap((actor) => [done(actor, Result.void), done(actor, Result.fail({ detail: `${actor} failed` }))])
    ]
  })
  const reasons = new Set(paths.filter((path) => path.state.value === "closed").map((path) => path.state.context.reason))
  assert.deepStrictEqual([...reasons].sort(), ["", "heartbeat failed", "synchronize failed", "takeStock failed"])
})
