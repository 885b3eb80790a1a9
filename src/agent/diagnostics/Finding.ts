/** What a check comes to, and what it is given. */
import type { Effect } from "effect"
import type { DiagnosticRequest } from "../../actors/machines/agentDiagnostic.ts"
import type { CheckResult } from "../../domain/Diagnostic.ts"
import type { SandboxId } from "../../domain/Ids.ts"
import type { Topology, TopologyAgent, TopologyAlias, TopologyLocalNode } from "../../domain/Topology.ts"
import type { DataPlane } from "../dataplane/DataPlane.ts"
import { type MeshdFailure, noAnswer } from "../dataplane/MeshdClient.ts"
import type { Knowledge } from "../Knowledge.ts"
import type { HostSigns } from "./HostSigns.ts"

export interface Finding extends Omit<CheckResult, "check" | "agent" | "micros"> { readonly micros?: number }

export type CheckServices = DataPlane | Knowledge | HostSigns
export type Check = (request: DiagnosticRequest, topology: Topology, alias: TopologyAlias) => Effect.Effect<Finding, never, CheckServices>

export type Evidence = Readonly<Record<string, string>>
const seen = (evidence: Evidence | undefined) => evidence === undefined ? {} : { evidence }

export const pass = (reason: string, micros?: number): Finding => ({ outcome: "pass", reason, next: null, ...(micros === undefined ? {} : { micros }) })
export const skip = (reason: string): Finding => ({ outcome: "skip", reason, next: null })
export const fail = (reason: string, next: string, evidence?: Evidence): Finding => ({ outcome: "fail", reason, next, ...seen(evidence) })
export const warn = (reason: string, next: string, evidence?: Evidence): Finding => ({ outcome: "warn", reason, next, ...seen(evidence) })
/** The trouble is on another host than this. */
export const on = (host: TopologyAgent | undefined, finding: Finding): Finding => host === undefined ? finding : { ...finding, host: host.name }

export const meshdAway = fail("meshd does not answer on this host", "start meshd (systemctl start gstacks-meshd), and see its log (journalctl -u gstacks-meshd)")
const meshdHangs = fail("meshd runs on this host, but does not answer", "see what holds it up (journalctl -u gstacks-meshd), and restart it: systemctl restart gstacks-meshd")

export const outOfDescriptors = (where: string, error: string, evidence?: Evidence): Finding =>
  fail(`meshd on ${where} has no descriptors left: ${error}`, `on ${where}: raise LimitNOFILE of gstacks-meshd; see who leaves connections open: gstacks network flows <network>`, evidence)
export const lacksDescriptors = /too many open files/i

/** What a failure comes to when it is not about what meshd was asked, but about meshd. */
export const meshdTrouble = (error: MeshdFailure): Finding | undefined => {
  if (error._tag === "MeshdUnavailable") return meshdAway
  if (error.code === noAnswer) return meshdHangs
  return lacksDescriptors.test(error.message) ? outOfDescriptors("this host", error.message) : undefined
}

/** The agent at the other end: the target's for the source, the source's for the target. */
export const otherAgent = (request: DiagnosticRequest, topology: Topology, alias: TopologyAlias): TopologyAgent | undefined => {
  const id = request.role === "source" ? alias.agentId : topology.members.find((member) => member.id === request.source)?.agentId
  return topology.agents.find((agent) => agent.id === id)
}

/** The developer's machine that publishes an alias. */
export const machineBehind = ({ localNodes }: Topology, { local }: TopologyAlias): TopologyLocalNode | undefined =>
  local && localNodes.find((node) => node.id === local.nodeId)
export const machineText = ({ user, address }: TopologyLocalNode): string => `the machine of ${user} (${address})`

export const nameOf = ({ members }: Topology, id: SandboxId): string => members.find((member) => member.id === id)?.name ?? id

export const stopped = (topology: Topology, id: SandboxId): Finding => {
  const name = nameOf(topology, id)
  return fail(`sandbox ${name} is stopped`, `see how it ended: gstacks sandbox show ${name}; start it again: gstacks sandbox run ${name} --replace -- <command>`)
}
