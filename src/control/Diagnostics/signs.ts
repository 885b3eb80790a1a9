/** What the control plane itself notices about a host while it is tested. */
import type { CheckResult } from "../../domain/Diagnostic.ts"
import type { AgentName } from "../../domain/DnsLabel.ts"

interface Agent { readonly name: AgentName }

/** Rules end by the clock of each host. */
const mostSkewMs = 2_000

/** `askedAt` and `answeredAt` by this clock, `clockMs` by the agent's in between. */
export const skewOf = (agent: Agent, askedAt: number, clockMs: number | undefined, answeredAt: number): CheckResult | undefined => {
  if (clockMs === undefined) return undefined
  const skewMs = clockMs < askedAt ? clockMs - askedAt : Math.max(0, clockMs - answeredAt)
  if (Math.abs(skewMs) <= mostSkewMs) return undefined
  return {
    check: "policy", outcome: "warn", agent: null, host: agent.name, micros: null, evidence: { skewMs: String(Math.round(skewMs)) },
    reason: `the clock of ${agent.name} is ${Math.round(Math.abs(skewMs) / 1000)} s ${skewMs > 0 ? "ahead of" : "behind"} the control plane's, and rules end by it`,
    next: `set the clocks of both hosts: timedatectl set-ntp true; see: timedatectl status`
  }
}

/** `trouble`: why the last push of the network did not succeed. */
export const unconfirmed = (agent: Agent, trouble: string | undefined): CheckResult | undefined => {
  if (trouble === undefined) return undefined
  const isFull = /ENOSPC|no space|EDQUOT|quota/i.test(trouble)
  return {
    check: "topology", outcome: "warn", agent: null, host: agent.name, micros: null, evidence: { error: trouble },
    reason: isFull ? `the disk of ${agent.name} is full: it cannot store the topology, and would start with an old one` : `${agent.name} has not confirmed the topology: ${trouble}`,
    next: isFull ? `free space under the agent's state folder on ${agent.name} (df -h)` : `see the agent's log on ${agent.name}, and gstacks agent show ${agent.name}`
  }
}

/** Hosts that are joined go on without it. `how` it stands, and the last thing that went wrong with it. */
export const coordinatorAway = (how: "is down" | "does not answer", trouble: string | undefined): CheckResult => ({
  check: "mesh", outcome: "warn", agent: null, micros: null, ...(trouble === undefined ? {} : { evidence: { error: trouble } }),
  reason: `the mesh coordinator (Headscale) ${how}: joined hosts go on, no other can join, and no restarted one finds its peers`,
  next: how === "is down" ? "it is started again by itself; see why it ends: gstacks debug actor control:control/mesh/managedHeadscale"
    : "see its log, and restart it if it hangs (one that the control plane runs is started again when it ends)"
})

/** What to do about an agent that cannot be asked, on its host and from here. */
export const wakeAgent = ({ name }: Agent): string =>
  `on ${name}: systemctl status gstacks-agent, and see whether it reaches the control plane (gstacks doctor); since when: gstacks agent show ${name}`

/** An agent that judges by a wrong clock says no to what is allowed. */
export const byItsClock = (answer: CheckResult, skewed: CheckResult): CheckResult =>
  ({ ...answer, reason: `${answer.reason}, it says, but ${skewed.reason}`, next: skewed.next, evidence: { ...answer.evidence, ...skewed.evidence } })
