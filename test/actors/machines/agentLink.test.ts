import { describe, it } from "@effect/vitest"
import { Result } from "effect"
import { agentLinkMachine } from "../../../src/actors/machines/agentLink.ts"
import { assertAllReached, done } from "../../harness/machinePaths.ts"

const credential = "0.agentLink.enrolling"

describe("agentLink", () => {
  it("reaches every state and transition", () => {
    assertAllReached(agentLinkMachine, {
      input: { spread: 0.5 }, key: ({ context }) => context.lastError,
      events: [
        done(credential, Result.succeed(undefined)),
        done(credential, Result.fail({ reason: "away", refused: false })),
        done(credential, Result.fail({ reason: "used token", refused: true })),
        { type: "session.opened" }, { type: "session.synchronized" },
        { type: "session.lost", reason: "reset", refused: false }, { type: "session.lost", reason: "401", refused: true }
      ]
    })
  })
})
