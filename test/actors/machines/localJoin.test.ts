import { describe, it } from "@effect/vitest"
import { Result } from "effect"
import { localJoinMachine } from "../../../src/actors/machines/localJoin.ts"
import { LocalNodeId, NetworkId } from "../../../src/domain/Ids.ts"
import { NetworkName } from "../../../src/domain/DnsLabel.ts"
import type { LocalGrant } from "../../../src/protocol/http/LocalNodesApi.ts"
import { assertAllReached, done } from "../../harness/machinePaths.ts"

const grant: LocalGrant = {
  id: LocalNodeId.make("lcl_000000000000000001"), networkId: NetworkId.make("net_000000000000000001"), network: NetworkName.make("dev"), user: "ann",
  expiresAt: "2026-01-01T00:00:00.000Z", grant: { authKey: "k", controlUrl: "http://c", hostname: "h", expiresAt: 0 }
}
const refused = (final: boolean) => Result.fail({ reason: "no", next: "do", final })
const [request, enter, publish, leave] = ["requesting", "entering", "publishing", "leaving"].map((state) => `0.localJoin.${state}`) as [string, string, string, string]

describe("localJoin", () => {
  it("reaches every state and transition", () => {
    assertAllReached(localJoinMachine, {
      input: { network: "dev" }, key: ({ context }) => [context.grant !== undefined, context.controlTrouble, context.meshTrouble],
      events: [
        done(request, Result.succeed(grant)), done(request, refused(true)), done(request, refused(false)),
        done(enter, Result.succeed(undefined)), done(enter, refused(false)),
        done(publish, Result.succeed({ expiresAt: grant.expiresAt })), done(publish, refused(false)),
        { type: "control.reached", expiresAt: grant.expiresAt, version: 3 }, { type: "control.lost", reason: "away" },
        { type: "mesh.changed", trouble: "no host" }, { type: "mesh.changed", trouble: null }, { type: "meshd.lost" },
        { type: "right.expired", reason: "slept" }, { type: "right.revoked", reason: "revoked", next: "ask" },
        { type: "leave" }, done(leave, Result.succeed(undefined))
      ]
    })
  })
})
