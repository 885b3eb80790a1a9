/** Flows and refusals for tests, as agents tell them and as meshd does, and the network that they are of. */
import { Schema } from "effect"
import type { Cut, Flow, FlowQuery, Refusal } from "../../src/domain/Flow.ts"
import { AliasId, NetworkId, RuleId, SandboxId } from "../../src/domain/Ids.ts"
import { Topology } from "../../src/domain/Topology.ts"
import type { Flow as MeshdFlow } from "../../src/protocol/meshd/Messages.ts"

const digits = (n: number): string => n.toString(32).padStart(18, "0")
export const netId = NetworkId.make(`net_${digits(1)}`), aliasId = AliasId.make(`als_${digits(1)}`), ruleId = RuleId.make(`rul_${digits(1)}`)
export const webId = SandboxId.make(`sbx_${digits(1)}`), backendId = SandboxId.make(`sbx_${digits(2)}`)

export const flow = (more: Partial<Flow> = {}): Flow => ({
  _tag: "Flow", id: "s-1", networkId: netId, sourceId: webId, source: "sandbox:web", aliasId, alias: "api", port: 8080, targetId: backendId, target: "backend",
  seenBy: ["source"], rules: [ruleId], verdict: "allowed", path: "direct", openedAt: 1000, closedAt: 1012, end: "eof", by: null, error: null, micros: 12_345,
  connectMicros: 850, firstByteMicros: 2100, bytesToTarget: 78, bytesToSource: 13_200, ...more
})

export const refusal = (more: Partial<Refusal> = {}): Refusal => ({
  _tag: "Refusal", networkId: netId, sourceId: webId, source: "sandbox:web", aliasId, alias: "api", port: 9090, by: "source", count: 3, firstAt: 1000, lastAt: 1500, ...more
})

/** Everything is told. */
export const uncut: Cut = { open: false, ended: false, refusals: false }

export const query = (more: Partial<FlowQuery> = {}): FlowQuery =>
  ({ networkId: netId, withinMs: 3_600_000, limit: 100, denied: false, source: null, alias: null, port: null, ...more })

export const meshdFlow = (more: Partial<MeshdFlow> = {}): MeshdFlow => ({
  id: "m-1", stream: "m-1", direction: "local", permit: "p", network: netId, alias: aliasId, port: 8080, source: webId, target: backendId, rules: [ruleId],
  openedAt: 1000, bytesToTarget: 78, bytesToSource: 13_200, micros: 12_345, connectMicros: 850, firstByteMicros: 2100, ...more
})

const agentId = `agt_${"0".repeat(18)}`
/** `web` and `backend`, which publishes `api` on 8080 and 9090, and these rules; a machine of ann has joined. */
export const topology = (...rules: ReadonlyArray<{ readonly source: object; readonly port: number; readonly expiresAt?: number }>): Topology => Schema.decodeUnknownSync(Topology)({
  networkId: netId, name: "dev", version: 1, agents: [],
  members: [webId, backendId].map((id, i) => ({ id, name: i === 0 ? "web" : "backend", agentId, labels: {} })),
  aliases: [{ id: aliasId, name: "api", address: "127.64.0.1", ports: [8080, 9090], sandboxId: backendId, agentId }],
  rules: rules.map((rule) => ({ id: ruleId, aliasId, ...rule })),
  localNodes: [{ id: `lcl_${"0".repeat(18)}`, user: "ann", nodeId: "n", address: "100.64.0.9", expiresAt: 1 }]
})
