/** What is different between two runs of `network test`: check by check and agent by agent, and the verdict. */
import { type CheckResult, checkNames, type DiagnosticRun } from "../Diagnostic.ts"

export interface CheckChange { readonly check: CheckResult["check"]; readonly agent: CheckResult["agent"]; readonly before: CheckResult | null; readonly after: CheckResult | null }

export interface RunComparison {
  readonly before: DiagnosticRun
  readonly after: DiagnosticRun
  /** Those whose outcome changed, or that failed for another reason; in the order of the checks. */
  readonly changes: ReadonlyArray<CheckChange>
}

export const compareRuns = (before: DiagnosticRun, after: DiagnosticRun): RunComparison => {
  const places = new Map([...before.checks, ...after.checks].map((result) => [placeOf(result), result]))
  const changes = [...places].map(([place, { check, agent }]): CheckChange => ({ check, agent, before: resultAt(before, place), after: resultAt(after, place) }))
    .filter(isChange)
  return { before, after, changes: changes.sort((a, b) => checkNames.indexOf(a.check) - checkNames.indexOf(b.check)) }
}

const placeOf = ({ check, agent }: CheckResult): string => `${check} ${agent ?? ""}`

/** An agent may have said two things of one check: the worse one counts. */
const resultAt = ({ checks }: DiagnosticRun, place: string): CheckResult | null =>
  checks.filter((result) => placeOf(result) === place).sort((a, b) => badness[b.outcome] - badness[a.outcome])[0] ?? null

const badness = { pass: 0, skip: 1, warn: 2, fail: 3 }

/** Reasons of what passed hold times and addresses that change by themselves. */
const isChange = ({ before, after }: CheckChange): boolean =>
  before?.outcome !== after?.outcome || after?.outcome !== "pass" && after?.outcome !== "skip" && before?.reason !== after?.reason
