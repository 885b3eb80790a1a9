import { describe, it } from "@effect/vitest"
import { dnsListenerMachine } from "../../../src/actors/machines/dnsListener.ts"
import { assertAllReached } from "../../harness/machinePaths.ts"

describe("dnsListener", () => {
  it("reaches every state and transition", () => {
    assertAllReached(dnsListenerMachine, {
      key: ({ context }) => context.lastError,
      events: [{ type: "dns.bound", address: "127.0.0.1:1053" }, { type: "dns.lost", reason: "EADDRINUSE" }]
    })
  })
})
