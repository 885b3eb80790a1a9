/** Two hosts, a source here and its target on the other, as an agent's checks see them: by default all is well. */
import { Effect, Stream } from "effect"
import { DataPlane } from "../../../src/agent/dataplane/DataPlane.ts"
import { type MeshdClient, MeshdUnavailable } from "../../../src/agent/dataplane/MeshdClient.ts"
import { checks } from "../../../src/agent/diagnostics/checks.ts"
import type { Check, CheckServices } from "../../../src/agent/diagnostics/Finding.ts"
import { HostSigns } from "../../../src/agent/diagnostics/HostSigns.ts"
import { Knowledge, Known } from "../../../src/agent/Knowledge.ts"
import type { CheckName } from "../../../src/domain/Diagnostic.ts"
import { AgentName } from "../../../src/domain/DnsLabel.ts"
import { AgentId, SandboxId } from "../../../src/domain/Ids.ts"
import type { Topology } from "../../../src/domain/Topology.ts"
import type { MeshdStatus, NodeStatus, ProbeResult } from "../../../src/protocol/meshd/Messages.ts"
import { topologyOf } from "../../domain/topologies.ts"

const id = (prefix: string, n: number) => `${prefix}_${String(n).padStart(18, "0")}`
const base = topologyOf({
  version: 7, members: [{ sandbox: 0, agent: 0, team: "red" }, { sandbox: 1, agent: 1, team: "red" }],
  aliases: [{ alias: 0, sandbox: 1, ports: [80] }, { alias: 1, sandbox: 0, ports: [81] }],
  rules: [{ rule: 0, alias: 0, port: 80, kind: "Sandbox", sandbox: 0, sourceAlias: 0, team: "red" }, { rule: 1, alias: 1, port: 81, kind: "Any", sandbox: 0, sourceAlias: 0, team: "red" }]
})
const topology = { ...base, agents: base.agents.map((agent) => ({ ...agent, name: AgentName.make(`host-${agent.id.slice(-1)}`), node: { id: `n${agent.id.slice(-1)}`, address: "100.64.0.2" } })) }
export const [remote, own] = topology.aliases as [typeof topology.aliases[0], typeof topology.aliases[0]]
export const source = SandboxId.make(id("sbx", 0))
export const node = (more: Partial<NodeStatus> = {}): NodeStatus => ({
  network: topology.networkId, state: "ready", nodeId: "n0", address: "100.64.0.1", transport: "tun", udpPort: 1,
  peers: [{ nodeId: "n1", address: "100.64.0.2", hostName: "host-1", online: true, ready: true, path: "direct", endpoint: "10.0.0.2:1" }], ...more
})
export const probe = (...steps: ProbeResult["steps"]): ProbeResult => ({ ok: steps.every((step) => step.ok), steps })
const ok = (name: ProbeResult["steps"][number]["name"]) => ({ name, ok: true, micros: 5 })
export type BrokenStep = readonly [ProbeResult["steps"][number]["name"], string]
/** The whole way is open but for the steps that are given. */
export const probeWith = (...broken: ReadonlyArray<BrokenStep>): ProbeResult =>
  probe(...(["resolve", "enter", "permit", "dial", "roundTrip", "verdict", "connect", "fullSize"] as const).map((name) => {
    const error = broken.find(([step]) => step === name)?.[1]
    return error === undefined ? ok(name) : { ...ok(name), ok: false, error }
  }))
/** The mesh breaks once the app has been reached. */
export const lostMeanwhile: ProbeResult = probe(...probeWith().steps.filter(({ name }) => name !== "fullSize"), { name: "roundTrip", ok: false, micros: 5, error: "no answer within 1.5s" })

export const nothing: MeshdStatus = { instance: "i", generation: 1, networks: [], sandboxes: [], flows: 0, memory: { rssBytes: 0, heapBytes: 0, goroutines: 0 } }

export interface Situation {
  readonly meshd?: Partial<MeshdClient> | "away"; readonly node?: NodeStatus; readonly applied?: number; readonly stale?: boolean; readonly running?: boolean
  readonly signs?: Partial<HostSigns["Service"]>; readonly served?: { readonly ok: boolean; readonly error: string | undefined }; readonly problem?: string; readonly rulesEndAt?: number
  readonly request?: { readonly role?: "source" | "target"; readonly user?: string; readonly source?: SandboxId | null; readonly port?: number; readonly version?: number }; readonly alias?: typeof remote
}

/** One check in a situation. */
export const run = (name: CheckName, situation: Situation = {}) => look(checks[name], situation)

/** What somebody sees in a situation; by default all is well. */
export const look = <A>(see: (...asked: Parameters<Check>) => Effect.Effect<A, never, CheckServices>, { meshd = {}, node: status = node(), applied = 7, stale = false, running = true, request = {}, alias = remote, signs = {}, served, problem = "meshd is at it", rulesEndAt }: Situation) => {
  const here: Topology = rulesEndAt === undefined ? topology : { ...topology, rules: topology.rules.map((rule) => ({ ...rule, expiresAt: rulesEndAt })) }
  const knowledge = new Known()
  knowledge.identity = { agentId: AgentId.make(id("agt", 0)), name: AgentName.make("host-0") }
  knowledge.putTopology(here)
  knowledge.stale = stale
  if (running) knowledge.putRunning({ id: source, pid: 2 ** 22 + 1, startTime: 1 })
  const plan = knowledge.plan()
  const inForce = { generation: 3, plan: { ...plan, networks: plan.networks.map((network) => ({ ...network, topologyVersion: applied })) } }
  const dataPlane = DataPlane.of({
    session: Stream.empty, enforce: Effect.succeed(inForce), problem: Effect.succeed(problem), inForce: Effect.succeed(inForce),
    sandbox: () => Effect.succeed(served), tellClosed: () => Effect.undefined, node: () => Effect.succeed(status), events: Stream.empty, flowNews: Stream.empty, join: () => Effect.never, leave: () => Effect.void,
    meshd: meshd === "away" ? Effect.fail(new MeshdUnavailable({ message: "away" })) : Effect.succeed({ status: Effect.succeed(nothing), ...meshd } as MeshdClient),
    hello: Effect.succeed(meshd === "away" ? undefined : { protocol: 1, version: "t", pid: 1, instance: "i", generation: 3, capabilities: { tun: true, netns: true } })
  })
  return see({ networkId: topology.networkId, version: 7, role: "source", source, alias: alias.name, port: 80, ...request }, here, alias).pipe(
    Effect.provideService(DataPlane, dataPlane), Effect.provideService(Knowledge, knowledge), Effect.provideService(HostSigns, HostSigns.of({
      join: () => Effect.succeed(undefined), dnsListener: Effect.succeed({ state: "serving", error: null }), controlUrl: () => "http://control:8085",
      dnsPort: 1053, silenceOf: () => Effect.succeed(undefined), resolver: () => undefined, listening: () => [], ...signs
    })))
}
