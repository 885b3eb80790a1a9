import { describe, it } from "@effect/vitest"
import { Result } from "effect"
import { aliasListenerMachine } from "../../../src/actors/machines/aliasListener.ts"
import { AliasId, NetworkId } from "../../../src/domain/Ids.ts"
import { assertAllReached, done } from "../../harness/machinePaths.ts"

describe("aliasListener", () => {
  it("reaches every state and transition", () => {
    assertAllReached(aliasListenerMachine, {
      input: { networkId: NetworkId.make("net_000000000000000001"), aliasId: AliasId.make("als_000000000000000001"), port: 80 },
      key: ({ context }) => [context.permits, context.lastError],
      events: [
        { type: "alias.permitted" }, { type: "alias.unpermitted" }, { type: "alias.withdrawn" },
        done("0.aliasListener.opening", Result.succeed(2)), done("0.aliasListener.opening", Result.fail({ reason: "no" })),
        done("0.aliasListener.draining", Result.succeed(undefined))
      ]
    })
  })
})
