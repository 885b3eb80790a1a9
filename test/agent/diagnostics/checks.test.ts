import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { DataPlane } from "../../../src/agent/dataplane/DataPlane.ts"
import { type MeshdClient, MeshdRefused, MeshdUnavailable } from "../../../src/agent/dataplane/MeshdClient.ts"
import { checks } from "../../../src/agent/diagnostics/checks.ts"
import { Knowledge, Known } from "../../../src/agent/Knowledge.ts"
import type { CheckName } from "../../../src/domain/Diagnostic.ts"
import { AgentName } from "../../../src/domain/DnsLabel.ts"
import { AgentId, SandboxId } from "../../../src/domain/Ids.ts"
import type { NodeStatus, ProbeResult } from "../../../src/protocol/meshd/Messages.ts"
import { topologyOf } from "../../domain/topologies.ts"

const id = (prefix: string, n: number) => `${prefix}_${String(n).padStart(18, "0")}`
const base = topologyOf({
  version: 7, members: [{ sandbox: 0, agent: 0, team: "red" }, { sandbox: 1, agent: 1, team: "red" }],
  aliases: [{ alias: 0, sandbox: 1, ports: [80] }, { alias: 1, sandbox: 0, ports: [81] }], rules: [{ rule: 0, alias: 0, port: 80, kind: "Sandbox", sandbox: 0, sourceAlias: 0, team: "red" }]
})
const topology = { ...base, agents: base.agents.map((agent) => ({ ...agent, name: AgentName.make(`host-${agent.id.slice(-1)}`), node: { id: `n${agent.id.slice(-1)}`, address: "100.64.0.2" } })) }
const [remote, own] = topology.aliases as [typeof topology.aliases[0], typeof topology.aliases[0]]
const source = SandboxId.make(id("sbx", 0))
const node = (more: Partial<NodeStatus> = {}): NodeStatus => ({
  network: topology.networkId, state: "ready", nodeId: "n0", address: "100.64.0.1", transport: "tun", udpPort: 1,
  peers: [{ nodeId: "n1", address: "100.64.0.2", hostName: "host-1", online: true, ready: true, path: "direct", endpoint: "10.0.0.2:1" }], ...more
})
const probe = (...steps: ProbeResult["steps"]): ProbeResult => ({ ok: steps.every((step) => step.ok), steps })

interface Situation {
  readonly meshd?: Partial<MeshdClient> | "away"; readonly node?: NodeStatus; readonly applied?: number; readonly stale?: boolean; readonly running?: boolean
  readonly request?: { readonly role?: "source" | "target"; readonly source?: SandboxId | null; readonly port?: number; readonly version?: number }; readonly alias?: typeof remote
}

/** One check in a situation; by default all is well. */
const run = (check: CheckName, { meshd = {}, node: status = node(), applied = 7, stale = false, running = true, request = {}, alias = remote }: Situation = {}) => {
  const knowledge = new Known()
  knowledge.identity = { agentId: AgentId.make(id("agt", 0)), name: AgentName.make("host-0") }
  knowledge.putTopology(topology)
  knowledge.stale = stale
  if (running) knowledge.putRunning({ id: source, pid: 2 ** 22 + 1, startTime: 1 })
  const plan = knowledge.plan()
  const inForce = { generation: 3, plan: { ...plan, networks: plan.networks.map((network) => ({ ...network, topologyVersion: applied })) } }
  const dataPlane = DataPlane.of({
    session: Stream.empty, enforce: Effect.succeed(inForce), problem: Effect.succeed("meshd is at it"), inForce: Effect.succeed(inForce),
    sandbox: () => Effect.succeed(undefined), node: () => Effect.succeed(status), events: Stream.empty, join: () => Effect.never, leave: () => Effect.void,
    meshd: meshd === "away" ? Effect.fail(new MeshdUnavailable({ message: "away" })) : Effect.succeed(meshd as MeshdClient),
    hello: Effect.succeed(meshd === "away" ? undefined : { protocol: 1, version: "t", pid: 1, instance: "i", generation: 3, capabilities: { tun: true, netns: true } })
  })
  return checks[check]({ networkId: topology.networkId, version: 7, role: "source", source, alias: alias.name, port: 80, ...request }, topology, alias).pipe(
    Effect.provideService(DataPlane, dataPlane), Effect.provideService(Knowledge, knowledge))
}
const refused = (message: string) => Effect.fail(new MeshdRefused({ method: "connect", code: "refused", message }))

const situations: ReadonlyArray<readonly [CheckName, string, Situation, "pass" | "fail" | "skip", RegExp]> = [
  ["mesh", "joined, with the path to the other host", {}, "pass", /100\.64\.0\.1 over tun; host-1 direct at 10\.0\.0\.2/],
  ["mesh", "both ends here", { alias: own, request: { port: 81 } }, "pass", /both ends are on this host/],
  ["mesh", "meshd away", { meshd: "away" }, "fail", /meshd does not answer/],
  ["mesh", "still joining", { node: node({ state: "starting" }) }, "fail", /still joining/],
  ["mesh", "join failed", { node: node({ state: "failed", error: "bad key" }) }, "fail", /bad key/],
  ["mesh", "the other host is not shown", { node: node({ peers: [] }) }, "fail", /does not show agent host-1/],
  ["mesh", "the other host is offline", { node: node({ peers: [{ ...node().peers[0]!, online: false, ready: false, path: "none" }] }) }, "fail", /host-1 is offline/],
  ["topology", "in force", {}, "pass", /version 7 in force/],
  ["topology", "behind", { applied: 6 }, "fail", /version 6 is in force, 7 is wanted: meshd is at it/],
  ["topology", "out of touch", { stale: true }, "fail", /out of touch/],
  ["dns", "the sandbox's zone has it", {}, "pass", /resolves app0\.dev\.gstacks to 127\.64\.1\.0/],
  ["dns", "the source does not run", { running: false }, "fail", /^sandbox box0 is stopped$/],
  ["dns", "seen from the target", { request: { role: "target" } }, "pass", /app0\.dev\.gstacks is/],
  ["route", "answers", { meshd: { probe: () => Effect.succeed(probe({ name: "dial", ok: true, micros: 5 }, { name: "connect", ok: true, micros: 7 })) } }, "pass", /dial 5 us, connect 7 us/],
  ["route", "stops at the app", { meshd: { probe: () => Effect.succeed(probe({ name: "dial", ok: true, micros: 5 }, { name: "connect", ok: false, micros: 7, error: "refused" })) } }, "fail", /stops at connect: refused/],
  ["route", "denied, so not tried", { request: { port: 81 } }, "skip", /policy denies/],
  ["route", "the target's program does not listen", { alias: own, request: { role: "target", port: 81 }, meshd: { connect: () => refused("connection refused") } }, "fail", /nothing accepts connections on port 81/],
  ["route", "the target's program listens", { alias: own, request: { role: "target", port: 81 }, meshd: { connect: () => Effect.succeed({ micros: 9 }) } }, "pass", /accepts connections/],
  ["route", "the target does not run", { alias: own, running: false, request: { role: "target", port: 81 } }, "fail", /^sandbox box0 is stopped$/],
  ["policy", "allowed, by rule", {}, "pass", /sandbox:box0 may reach app0\.dev\.gstacks:80 by rul_/],
  ["policy", "denied", { request: { port: 81 } }, "fail", /no rule of version 7/],
  ["policy", "denied to developers' machines", { request: { source: null } }, "fail", /lets local reach/]
]

describe("checks", () => {
  it.effect.each(situations)("%s: %s", ([check, , situation, outcome, reason]) => Effect.gen(function*() {
    const finding = yield* run(check, situation)
    assert.strictEqual(finding.outcome, outcome)
    assert.match(finding.reason, reason)
    assert.strictEqual(finding.next !== null, outcome === "fail") // who fails says what to do next
  }))
})
