/** What a test has to ask of whom, and what its verdict is: pure, from the stored topology. */
import { type CheckName, checkNames, type CheckResult, type Verdict } from "../../domain/Diagnostic.ts"
import { type AgentName, hostName } from "../../domain/DnsLabel.ts"
import type { AgentId, RuleId, SandboxId } from "../../domain/Ids.ts"
import { coversLocal, judge } from "../../domain/Policy.ts"
import type { RuleChange } from "../../domain/Reachability.ts"
import type { Source } from "../../domain/Selector.ts"
import type { Member, Topology, TopologyAlias, TopologyLocalNode } from "../../domain/Topology.ts"

export interface Participant {
  readonly agent: { readonly id: AgentId; readonly name: AgentName }
  readonly role: "source" | "target"
  /** `null`: a developer's machine. */
  readonly source: SandboxId | null
  /** Whose; absent: anybody's. */
  readonly user?: string
  readonly checks: ReadonlyArray<CheckName>
}

export interface TestPlan {
  readonly topology: Topology
  readonly alias: TopologyAlias
  readonly port: number
  readonly participants: ReadonlyArray<Participant>
  /** Developers' machines, as sources. */
  readonly machines: ReadonlyArray<TopologyLocalNode>
  /** Results that need no agent. */
  readonly known: ReadonlyArray<CheckResult>
  readonly allowed: boolean
  readonly rules: ReadonlyArray<RuleId>
}

/** Machines of one test; `local` may stand for many, and each is asked. */
const mostMachines = 8

/**
 * A selector may stand for many sandboxes (`any`, a label): all of them must be allowed, and one on each of their hosts is tested.
 * `lost`: the rule for that alias and port that went last.
 */
export const planOf = (topology: Topology, source: Source, written: string, alias: TopologyAlias, port: number, now: number, lost: RuleChange | undefined): TestPlan => {
  const isLocal = source._tag === "Local"
  const { allowed, ...judgement } = judge(topology, source, alias.id, port, now)
  const sources = judgement.sources.map(({ member }) => member)
  const rules = judgement.rules.map((rule) => rule.id)

  const representatives = [...new Map(sources.map((member) => [member.agentId, member])).values()]
  const agentOf = (id: AgentId) => ({ id, name: topology.agents.find((agent) => agent.id === id)!.name })
  const first: SandboxId | null = representatives[0]?.id ?? null
  const participants: ReadonlyArray<Participant> = [
    ...representatives.map((member): Participant => ({ agent: agentOf(member.agentId), role: "source", source: member.id, checks: checkNames })),
    ...alias.agentId === undefined ? [] : [{ // behind a developer's machine there is no agent
      agent: agentOf(alias.agentId), role: "target", source: first, ...(isLocal && source.user !== undefined ? { user: source.user } : {}),
      checks: isLocal || first !== null ? checkNames : checkNames.filter((check) => check !== "policy") // nobody to judge
    } satisfies Participant]
  ]

  const joined = topology.localNodes.filter((node) => coversLocal(source, node.user))
  const machines = joined.slice(-mostMachines)
  const unasked = joined.length - machines.length
  const skip = (check: CheckName, reason: string, next: string | null): CheckResult => ({ check, outcome: "skip", agent: null, reason, next, micros: null })
  const skipped = isLocal && joined.length === 0
    ? checkNames.map((check) => skip(check, `no developer's machine${source.user === undefined ? "" : ` of ${source.user}`} has joined this network, so the source's side was not tried`, `gstacks mesh join ${topology.name}`))
    : unasked > 0 ? [skip("mesh", `${unasked} more joined machines were not asked`, `test those of one user: gstacks network test ${topology.name} local:<user> ${alias.name}:${port}`)] : []
  return {
    topology, alias, port, participants, machines, allowed, rules,
    known: [...skipped, policyResult(topology, source, sources, written, alias, port, allowed, rules, lost)]
  }
}

/** The command that comes next where no rule allows it. A rule lets in nobody who is not attached; `covered`: the sandboxes that the source stands for. */
export const wouldAllow = (network: string, source: Source, written: string, { alias, port }: { readonly alias: string; readonly port: number }, covered: number): string =>
  source._tag !== "Local" && covered === 0
    ? `gstacks network attach ${network} ${source._tag === "Sandbox" ? written.slice("sandbox:".length) : "<sandbox>"}`
    : `gstacks network policy allow ${network} --from ${written} --to ${alias} --port ${port}`

export const noMachineToMachine = "a developer's machine publishes it, and one developer's machine does not reach another"

const policyResult = (
  topology: Topology, source: Source, sources: ReadonlyArray<Member>, written: string, alias: TopologyAlias, port: number, allowed: boolean, rules: ReadonlyArray<RuleId>, lost: RuleChange | undefined
): CheckResult => {
  const target = `${hostName(alias.name, topology.name)}:${port}`
  const base = { check: "policy", agent: null, micros: null } as const
  const isLocal = source._tag === "Local"
  const next = wouldAllow(topology.name, source, written, { alias: alias.name, port }, sources.length)
  if (allowed) return { ...base, outcome: "pass", reason: `${written} may reach ${target} by ${rules.join(", ")}`, next: null }
  if (!isLocal && sources.length === 0) {
    return { ...base, outcome: "fail", reason: `${written} stands for no sandbox that is attached to ${topology.name}`, next }
  }
  if (isLocal && alias.local !== undefined) return { ...base, outcome: "fail", reason: noMachineToMachine, next: null }
  const denied = { ...base, outcome: "fail", reason: `no rule lets ${written} reach ${target}`, next } as const
  if (lost === undefined) return denied
  const { action, rule, version } = lost
  const how = howEnded(lost)
  const evidence = { lastRule: `${rule.id}, ${rule.from} to ${rule.to}:${rule.ports}, ${how}`, since: `v${version}` }
  if (rule.from !== written) return { ...denied, evidence }
  return { ...denied, evidence, reason: `the rule that let ${written} reach ${target} ${how}`, next: `allow it again: ${next}${action === "rule.expire" ? " --for 2h" : ""}` }
}

const howEnded = ({ action, by, at, rule, because }: RuleChange): string => {
  switch (action) {
    case "rule.expire": return `ended at ${rule.expiresAt ?? at}`
    case "rule.end": return `was ended by ${by} at ${at}, as ${because}`
    default: return `was revoked by ${by} at ${at}`
  }
}

/** Denied when the stored policy says so; otherwise reachable unless some check failed. */
export const verdictOf = (plan: TestPlan, checks: ReadonlyArray<CheckResult>): Verdict =>
  !plan.allowed ? "denied" : checks.some((result) => result.outcome === "fail") ? "unreachable" : "reachable"
