import { describe, it } from "@effect/vitest"
import { dataPlaneMachine } from "../../../src/actors/machines/dataPlane.ts"
import { assertAllReached } from "../../harness/machinePaths.ts"

describe("dataPlane", () => {
  it("reaches every state and transition", () => {
    assertAllReached(dataPlaneMachine, {
      key: ({ context }) => context.lastError,
      events: [
        { type: "meshd.connected", pid: 7, instance: "a" },
        { type: "meshd.applied", generation: 1, failedSandboxes: 0 }, { type: "meshd.applied", generation: 1, failedSandboxes: 2 },
        { type: "meshd.rejected", reason: "bad" }, { type: "meshd.lost", reason: "gone" }
      ]
    })
  })
})
