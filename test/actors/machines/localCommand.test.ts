import { describe, it } from "@effect/vitest"
import { Result } from "effect"
import { localCommandMachine } from "../../../src/actors/machines/localCommand.ts"
import { assertAllReached, done } from "../../harness/machinePaths.ts"

const [enter, leave] = ["entering", "leaving"].map((state) => `0.localCommand.${state}`) as [string, string]

describe("localCommand", () => {
  it("reaches every state and transition", () => {
    assertAllReached(localCommandMachine, {
      input: { id: "c" },
      key: ({ context }) => context.lastError,
      events: [
        { type: "meshd.lost" }, { type: "meshd.ready" }, { type: "stop" },
        done(enter, Result.succeed(undefined)), done(enter, Result.fail({ reason: "its process has ended" })), done(leave, Result.succeed(undefined))
      ]
    })
  })
})
