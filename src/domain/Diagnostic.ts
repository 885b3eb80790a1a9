/** `network test`: five checks, run by the agents that take part, each passed, failed or skipped with a reason and the next thing to do. */
import { Schema } from "effect"
import { AgentName } from "./DnsLabel.ts"
import { RuleId, RunId } from "./Ids.ts"

export const CheckName = Schema.Literals(["mesh", "topology", "dns", "route", "policy"])
export type CheckName = typeof CheckName.Type

/** In the order in which they run and are shown. */
export const checkNames: ReadonlyArray<CheckName> = ["mesh", "topology", "dns", "route", "policy"]

export const CheckResult = Schema.Struct({
  check: CheckName, outcome: Schema.Literals(["pass", "fail", "skip"]), agent: Schema.NullOr(AgentName),
  reason: Schema.String, next: Schema.NullOr(Schema.String), micros: Schema.NullOr(Schema.Number)
})
export type CheckResult = typeof CheckResult.Type

export const Verdict = Schema.Literals(["reachable", "denied", "unreachable"])
export type Verdict = typeof Verdict.Type

export const DiagnosticRun = Schema.Struct({
  id: RunId, network: Schema.String, source: Schema.String, alias: Schema.String, port: Schema.Int,
  checks: Schema.Array(CheckResult), verdict: Verdict, rules: Schema.Array(RuleId), startedAt: Schema.String, elapsedMs: Schema.Number
})
export type DiagnosticRun = typeof DiagnosticRun.Type

export const describeCheck: Readonly<Record<CheckName, string>> = {
  mesh: "joined the network's mesh",
  topology: "topology version applied",
  dns: "DNS records loaded",
  route: "the target answers",
  policy: "policy verdict"
}
