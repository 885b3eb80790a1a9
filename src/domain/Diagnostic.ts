/**
 * `network test`: five checks, run by the agents that take part, each with a reason, what was seen, and the next thing to do. A run is a
 * resource: it can be read while it runs and long after, cancelled, and compared with another.
 */
import { Schema } from "effect"
import { AgentName } from "./DnsLabel.ts"
import { RuleId, RunId } from "./Ids.ts"

export const CheckName = Schema.Literals(["mesh", "topology", "dns", "route", "policy"])
export type CheckName = typeof CheckName.Type

/** In the order in which they run and are shown. */
export const checkNames: ReadonlyArray<CheckName> = ["mesh", "topology", "dns", "route", "policy"]

/** `warn`: it works, but not as it should, or not for long. `skip`: nothing is known. */
export const Outcome = Schema.Literals(["pass", "warn", "fail", "skip"])
export type Outcome = typeof Outcome.Type

/** Who looked: an agent, or a developer's joined machine as `local:<user>`. */
export const Looker = Schema.Union([AgentName, Schema.TemplateLiteral(["local:", Schema.String])])
export type Looker = typeof Looker.Type

export const CheckResult = Schema.Struct({
  /** `agent`: who found it; null: the control plane. */
  check: CheckName, outcome: Outcome, agent: Schema.NullOr(Looker),
  reason: Schema.String, next: Schema.NullOr(Schema.String), micros: Schema.NullOr(Schema.Finite),
  /** The host where the trouble is, when it is not the one that found it. */
  host: Schema.optionalKey(AgentName),
  /** What was seen: versions, addresses, errors, times. */
  evidence: Schema.optionalKey(Schema.Record(Schema.String, Schema.String))
})
export type CheckResult = typeof CheckResult.Type

export const Verdict = Schema.Literals(["reachable", "denied", "unreachable"])
export type Verdict = typeof Verdict.Type

export const RunState = Schema.Literals(["running", "done", "cancelled"])

export const DiagnosticSummary = Schema.Struct({
  id: RunId, network: Schema.String, source: Schema.String, alias: Schema.String, port: Schema.Int,
  /** Of the topology that was tested. */
  version: Schema.Int, state: RunState,
  /** Null until the run is done, and for ever when it was cancelled. */
  verdict: Schema.NullOr(Verdict),
  startedAt: Schema.String, elapsedMs: Schema.NullOr(Schema.Finite)
})
export type DiagnosticSummary = typeof DiagnosticSummary.Type

export const DiagnosticRun = Schema.Struct({
  ...DiagnosticSummary.fields,
  /** In the order in which they came in. */
  checks: Schema.Array(CheckResult),
  /** The first trouble on the way, which the others mostly follow from; null: there is none. */
  trouble: Schema.NullOr(CheckResult),
  rules: Schema.Array(RuleId)
})
export type DiagnosticRun = typeof DiagnosticRun.Type

/** What a stream meets first: it is judged before it is carried. */
const onTheWay: ReadonlyArray<CheckName> = ["mesh", "topology", "dns", "policy", "route"]

/** What failed comes before what only warns, then what comes first on the way; who speaks of itself is believed before who speaks of another. */
export const firstTrouble = (checks: ReadonlyArray<CheckResult>): CheckResult | null => {
  const rank = ({ outcome, check, host }: CheckResult): number =>
    (outcome === "fail" ? 0 : 100) + 10 * onTheWay.indexOf(check) + (host === undefined ? 0 : 1)
  return checks.filter(({ outcome }) => outcome === "fail" || outcome === "warn")
    .reduce<CheckResult | null>((first, result) => first === null || rank(result) < rank(first) ? result : first, null)
}
