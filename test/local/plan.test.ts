/** What meshd is to do for the commands of a developer's machine. */
import { assert, describe, it } from "@effect/vitest"
import { hostName } from "../../src/domain/DnsLabel.ts"
import type { Topology } from "../../src/domain/Topology.ts"
import { localPlan, type RunningCommand } from "../../src/local/plan.ts"

const topologyOf = (name: string, number: number) => ({
  networkId: `net_0${number}`, name, version: 3, members: [],
  aliases: [{ id: `als_0${number}`, name: "api", address: `127.64.${number}.1`, ports: [80, 81], sandboxId: "sbx_0api", agentId: "agt_01" }],
  agents: [{ id: "agt_01", name: "host-1", node: { id: "n1", address: "100.64.0.1" } }],
  rules: [{ id: `rul_0${number}`, source: { _tag: "Local" }, aliasId: `als_0${number}`, port: 80 }],
  localNodes: [{ id: `lcl_0${number}`, user: "ann", nodeId: "n9", address: "100.64.0.9", expiresAt: 5_000 }]
}) as unknown as Topology
const command = (id: string, network: string) => ({ id, network, pid: 7, startTime: 8 }) as RunningCommand

const dev = topologyOf("dev", 1), staging = topologyOf("staging", 2)
const [a, b, c] = [command("sbx_0a", "dev"), command("sbx_0b", "dev"), command("sbx_0c", "staging")] as const

describe("the plan of a developer's machine", () => {
  it("gives each command the permits of its network, as a sandbox of its own that asks as the machine", () => {
    const { outbound } = localPlan([dev, staging], [a, b, c])
    assert.deepStrictEqual(outbound.map(({ id, sandbox, source, expiresAt }) => [id, sandbox, source, expiresAt]), [
      ["o/lcl_01/127.64.1.1:80", "lcl_01", undefined, 5_000],
      ["o/sbx_0a/127.64.1.1:80", "sbx_0a", "lcl_01", 5_000],
      ["o/sbx_0b/127.64.1.1:80", "sbx_0b", "lcl_01", 5_000],
      ["o/lcl_02/127.64.2.1:80", "lcl_02", undefined, 5_000],
      ["o/sbx_0c/127.64.2.1:80", "sbx_0c", "lcl_02", 5_000]
    ])
  })

  it("gives it that network's names only, and none when the network was left", () => {
    const namesOf = (topologies: ReadonlyArray<Topology>, of: RunningCommand) => {
      const { sandboxes, zones } = localPlan(topologies, [a, b, c])
      const { zone } = sandboxes.find(({ id }) => id === of.id)!
      const names = zones.find(({ id }) => id === zone)!.names
      return ["dev", "staging"].filter((network) => hostName("api", network) in names)
    }
    assert.deepStrictEqual([namesOf([dev, staging], a), namesOf([dev, staging], b), namesOf([dev, staging], c), namesOf([staging], a)], [["dev"], ["dev"], ["staging"], []])
  })
})
