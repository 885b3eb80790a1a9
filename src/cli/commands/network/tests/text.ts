/** How runs of `network test` are told, and which exit code follows from them. */
import { Effect } from "effect"
import type { CheckResult, DiagnosticRun, Outcome } from "../../../../domain/Diagnostic.ts"
import { compareRuns, type RunComparison } from "../../../../domain/Diagnostic/compareRuns.ts"
import { ExitWith } from "../../../Failure.ts"
import { printable } from "../../../output/printable.ts"
import { table } from "../../../output/table.ts"
import { show } from "../../../output/view.ts"

const marks: Readonly<Record<Outcome, string>> = { pass: "ok", warn: "WARN", fail: "FAIL", skip: "skip" }
const indent = " ".repeat(6)

/** Who found it. */
const finder = ({ agent }: CheckResult): string => agent ?? "control plane"

/** One result; what is wrong comes with what was seen, and what to do. */
export const resultText = (result: CheckResult): string => {
  const { check, outcome, reason, next, evidence = {} } = result
  const line = `${marks[outcome].padEnd(6)}${check.padEnd(10)}${finder(result).padEnd(14)}${reason}`
  const seen = Object.entries(evidence).map(([name, value]) => `${name}: ${value}`)
  const isTrouble = outcome === "fail" || outcome === "warn"
  return [
    line,
    ...(isTrouble && seen.length > 0 ? [`${indent}seen: ${seen.join("; ")}`] : []),
    ...(next === null ? [] : [`${indent}next: ${next}`])
  ].map((text) => `${printable(text)}\n`).join("")
}

const verdictText = ({ verdict, state, source, alias, port, rules }: DiagnosticRun): string => {
  const pair = `${source} -> ${alias}:${port}`
  const by = rules.length === 0 ? "" : ` (rule ${rules.join(", ")})`
  switch (verdict) {
    case null: return `${state}: ${pair}`
    case "denied": return `verdict: denied: no rule lets ${pair}`
    case "reachable": return `verdict: reachable: ${pair}${by}`
    case "unreachable": return `verdict: unreachable: ${pair} is allowed${by}, but a check failed`
  }
}

/** What follows the results: where to begin, and the verdict. */
export const endText = (run: DiagnosticRun): string => {
  const { trouble } = run
  const first = trouble === null ? "" : `\nfirst ${trouble.outcome === "fail" ? "failure" : "warning"}: ${trouble.check}, found by ${finder(trouble)}: ${trouble.reason}\n${trouble.next === null ? "" : `next: ${trouble.next}\n`}`
  return `${first === "" ? "\n" : first}${verdictText(run)}\n`.split("\n").map(printable).join("\n")
}

export const runText = (run: DiagnosticRun): string =>
  `${run.source} -> ${run.alias}:${run.port} in ${run.network}, topology v${run.version}, started ${run.startedAt} (${run.id})\n${run.checks.map(resultText).join("")}${endText(run)}`

const said = (result: CheckResult | null): string => result === null ? "-" : result.outcome === "pass" ? "ok" : `${marks[result.outcome]}: ${result.reason}`
const told = (run: DiagnosticRun): string => `${run.id} of ${run.startedAt}, topology v${run.version}: ${run.verdict ?? run.state}`

const comparisonText = ({ before, after, changes }: RunComparison): string =>
  `before: ${told(before)}\nafter:  ${told(after)}\n` + (changes.length === 0 ? "every check says the same\n" : table([
    ["CHECK", (c) => c.check], ["AGENT", (c) => c.agent ?? "control plane"], ["BEFORE", (c) => said(c.before)], ["AFTER", (c) => said(c.after)]
  ], changes))

export const showComparison = (before: DiagnosticRun, after: DiagnosticRun) => {
  const comparison = compareRuns(before, after)
  return show({ document: comparison, table: () => comparisonText(comparison), names: () => comparison.changes.map(({ check, agent }) => `${check} ${agent ?? "control"}`) })
}

const exitCodes: Readonly<Record<NonNullable<DiagnosticRun["verdict"]>, number>> = { reachable: 0, denied: 5, unreachable: 1 }

/** 0 reachable, 5 denied, 1 everything else. */
export const exitAs = ({ verdict }: DiagnosticRun) => {
  const code = verdict === null ? 1 : exitCodes[verdict]
  return code === 0 ? Effect.void : Effect.fail(new ExitWith({ code }))
}
