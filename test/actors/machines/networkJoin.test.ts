import { describe, it } from "@effect/vitest"
import { Result } from "effect"
import { networkJoinMachine } from "../../../src/actors/machines/networkJoin.ts"
import { NetworkId } from "../../../src/domain/Ids.ts"
import type { NodeStatus } from "../../../src/protocol/meshd/Messages.ts"
import { assertAllReached, done } from "../../harness/machinePaths.ts"

const networkId = NetworkId.make("net_000000000000000001")
const node = (state: NodeStatus["state"]): NodeStatus => ({ network: networkId, state, nodeId: "7", address: "100.64.0.7", transport: "tun", udpPort: 41650, peers: [] })
const grant = { authKey: "k", controlUrl: "http://c", hostname: "h", expiresAt: 0 }
const problem = (needsKey: boolean) => Result.fail({ reason: "no", needsKey })
const [join, key, report, leave] = ["member.joining", "member.requestingKey", "member.reporting", "leaving"].map((state) => `0.networkJoin.${state}`) as [string, string, string, string]

describe("networkJoin", () => {
  it("reaches every state and transition", () => {
    assertAllReached(networkJoinMachine, {
      input: { networkId }, key: ({ context }) => [context.grant !== undefined, context.node?.state, context.lastError],
      events: [
        ...["left", "lingering", "stuck"].map((state) => done(`0.networkJoin.${state}`, Result.succeed(undefined))),
        { type: "members.absent" }, { type: "meshd.connected" }, { type: "meshd.lost" },
        { type: "node.changed", node: node("ready") }, { type: "node.changed", node: node("up") }, { type: "node.changed", node: node("failed") },
        done(join, Result.succeed({ node: node("ready"), published: true })), done(join, Result.succeed({ node: node("up"), published: false })),
        done(join, problem(true)), done(join, problem(false)),
        done(key, Result.succeed(grant)), done(key, problem(false)),
        done(report, Result.succeed(undefined)), done(report, problem(false)),
        done(leave, Result.succeed(undefined)), done(leave, problem(false))
      ]
    })
  })
})
