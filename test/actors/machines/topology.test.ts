import { describe, it } from "@effect/vitest"
import { Result } from "effect"
import { topologyMachine } from "../../../src/actors/machines/topology.ts"
import { NetworkId } from "../../../src/domain/Ids.ts"
import { assertAllReached, done } from "../../harness/machinePaths.ts"

const networkId = NetworkId.make("net_000000000000000001")

describe("topology", () => {
  it("reaches every state and transition", () => {
    assertAllReached(topologyMachine, {
      inputs: [{ networkId, version: 0 }, { networkId, version: 3 }], key: ({ context }) => [context.applied, context.lastError],
      events: [
        { type: "topology.received", version: 4 },
        done("0.topology.applying", Result.succeed(4)), done("0.topology.applying", Result.fail({ reason: "meshd is away" })),
        done("0.topology.applied", Result.succeed(undefined)), done("0.topology.stale.waiting", Result.succeed(undefined))
      ]
    })
  })
})
