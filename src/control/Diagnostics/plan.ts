/** What a test has to ask of whom, and what its verdict is: pure, from the stored topology. */
import { type CheckName, checkNames, type CheckResult, type Verdict } from "../../domain/Diagnostic.ts"
import { type AgentName, hostName } from "../../domain/DnsLabel.ts"
import type { AgentId, RuleId, SandboxId } from "../../domain/Ids.ts"
import { covers, rulesFor, rulesForLocal } from "../../domain/Policy.ts"
import type { Source } from "../../domain/Selector.ts"
import type { Member, Topology, TopologyAlias } from "../../domain/Topology.ts"

export interface Participant {
  readonly agent: { readonly id: AgentId; readonly name: AgentName }
  readonly role: "source" | "target"
  /** `null`: a developer's machine. */
  readonly source: SandboxId | null
  readonly checks: ReadonlyArray<CheckName>
}

export interface TestPlan {
  readonly topology: Topology
  readonly alias: TopologyAlias
  readonly port: number
  readonly participants: ReadonlyArray<Participant>
  /** Results that need no agent. */
  readonly known: ReadonlyArray<CheckResult>
  readonly allowed: boolean
  readonly rules: ReadonlyArray<RuleId>
}

/**
 * A selector may stand for many sandboxes (`any`, a label): all of them must be allowed, and one on each of their hosts is tested.
 */
export const planOf = (topology: Topology, source: Source, written: string, alias: TopologyAlias, port: number): TestPlan => {
  const aliases = new Map(topology.aliases.map((item) => [item.id, item]))
  const sources = topology.members.filter((member) => covers(source, member, aliases))
  const isLocal = source._tag === "Local"
  const found = isLocal ? [rulesForLocal(topology, alias.id, port)] : sources.map((member) => rulesFor(topology, member.id, alias.id, port))
  const allowed = found.length > 0 && found.every((rules) => rules.length > 0)
  const rules = [...new Set(found.flat().map((rule) => rule.id))]

  const representatives = [...new Map(sources.map((member) => [member.agentId, member])).values()]
  const agentOf = (id: AgentId) => ({ id, name: topology.agents.find((agent) => agent.id === id)!.name })
  const first: SandboxId | null = representatives[0]?.id ?? null
  const participants: ReadonlyArray<Participant> = [
    ...representatives.map((member): Participant => ({ agent: agentOf(member.agentId), role: "source", source: member.id, checks: checkNames })),
    {
      agent: agentOf(alias.agentId), role: "target", source: first,
      checks: isLocal || first !== null ? checkNames : checkNames.filter((check) => check !== "policy") // nobody to judge
    }
  ]

  const skipped = isLocal && topology.localNodes.length === 0
    ? checkNames.map((check): CheckResult => ({
      check, outcome: "skip", agent: null, reason: "no developer's machine has joined this network, so the source's side was not tried",
      next: `gstacks mesh join ${topology.name}`, micros: null
    }))
    : []
  return {
    topology, alias, port, participants, allowed, rules,
    known: [...skipped, policyResult(topology, isLocal, sources, written, alias, port, allowed, rules)]
  }
}

const policyResult = (
  topology: Topology, isLocal: boolean, sources: ReadonlyArray<Member>, written: string, alias: TopologyAlias, port: number, allowed: boolean, rules: ReadonlyArray<RuleId>
): CheckResult => {
  const target = `${hostName(alias.name, topology.name)}:${port}`
  const base = { check: "policy", agent: null, micros: null } as const
  if (allowed) return { ...base, outcome: "pass", reason: `${written} may reach ${target} by ${rules.join(", ")}`, next: null }
  if (!isLocal && sources.length === 0) {
    return { ...base, outcome: "fail", reason: `${written} stands for no sandbox that is attached to ${topology.name}`, next: `gstacks network attach ${topology.name} <sandbox>` }
  }
  return {
    ...base, outcome: "fail", reason: `no rule lets ${written} reach ${target}`,
    next: `gstacks network policy allow ${topology.name} --from ${written} --to ${alias.name} --port ${port}`
  }
}

/** Denied when the stored policy says so; otherwise reachable unless some check failed. */
export const verdictOf = (plan: TestPlan, checks: ReadonlyArray<CheckResult>): Verdict =>
  !plan.allowed ? "denied" : checks.some((result) => result.outcome === "fail") ? "unreachable" : "reachable"
