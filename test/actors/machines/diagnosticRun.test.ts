import { assert, it } from "@effect/vitest"
import { Result } from "effect"
import { diagnosticRunMachine } from "../../../src/actors/machines/diagnosticRun.ts"
import { checkNames, type CheckResult } from "../../../src/domain/Diagnostic.ts"
import { assertAllReached, done } from "../../harness/machinePaths.ts"

const passed = (check: CheckResult["check"]): CheckResult => ({ check, outcome: "pass", agent: null, reason: "fine", next: null, micros: 1 })

it("runs the checks in their order and collects every result", () => {
  const { paths } = assertAllReached(diagnosticRunMachine, {
    input: { run: "run" },
    events: checkNames.map((check) => done(check, Result.succeed([passed(check)])))
  })
  const longest = paths.reduce((a, b) => (b.steps.length > a.steps.length ? b : a))
  assert.strictEqual(longest.state.value, "done")
  assert.deepStrictEqual(longest.state.context.results.map((result) => result.check), [...checkNames])
})
