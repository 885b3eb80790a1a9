import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { agentDiagnosticMachine } from "../../../src/actors/machines/agentDiagnostic.ts"
import { checkNames, type CheckName } from "../../../src/domain/Diagnostic.ts"
import { NetworkId } from "../../../src/domain/Ids.ts"
import { assertAllReached, done } from "../../harness/machinePaths.ts"

const request = { networkId: NetworkId.make("net_000000000000000001"), version: 1, role: "source", source: null, alias: "api", port: 80 } as const
const stateOf = (check: CheckName): string => `checking${check[0]!.toUpperCase()}${check.slice(1)}`
const result = (check: CheckName) => done(`0.agentDiagnostic.${stateOf(check)}`, Result.succeed({ check, outcome: "pass", agent: null, reason: "", next: null, micros: 1 }))

describe("agentDiagnostic", () => {
  it("reaches every state and transition, with the results in order", () => {
    const { paths } = assertAllReached(agentDiagnosticMachine, { input: { request, checks: checkNames }, events: checkNames.map(result) })
    const last = paths.find(({ state }) => state.status === "done")
    assert.deepStrictEqual(last?.state.output?.map((r: { check: CheckName }) => r.check), checkNames)
  })
})
