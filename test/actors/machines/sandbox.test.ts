import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { sandboxMachine } from "../../../src/actors/machines/sandbox.ts"
import { SandboxId } from "../../../src/domain/Ids.ts"
import { assertAllReached, done } from "../../harness/machinePaths.ts"

const [find, launch, admit] = ["finding", "launching", "admitting"].map((state) => `0.sandbox.preparing.${state}`) as [string, string, string]

describe("sandbox", () => {
  it("reaches every state and transition, and a final state always says how it ended", () => {
    const { paths } = assertAllReached(sandboxMachine, {
      input: { id: SandboxId.make("sbx_000000000000000001") },
      events: [
        { type: "sandbox.stop" },
        ...(["nothing", "held", "running"] as const).map((kind) => done(find, Result.succeed({ kind }))),
        done(find, Result.succeed({ kind: "ended", end: { exitCode: 3, reason: null } })),
        done(find, Result.succeed({ kind: "ended", end: { exitCode: null, reason: "its shim is gone" } })),
        done(launch, Result.succeed(undefined)), done(launch, Result.fail({ reason: "no bwrap" })),
        done(admit, Result.succeed(undefined)), done(admit, Result.fail({ reason: "meshd is away" })),
        done("0.sandbox.running", Result.succeed({ exitCode: 0, reason: null })), done("0.sandbox.running", Result.succeed({ exitCode: null, reason: "shim killed" })),
        done("0.sandbox.stopping", Result.succeed({ exitCode: 143, reason: null })), done("0.sandbox.abandoning", Result.succeed({ exitCode: 137, reason: null }))
      ]
    })
    for (const { state } of paths) {
      if (state.status === "done") assert.strictEqual(state.value, state.output!.reason === null ? "stopped" : "failed")
    }
  })
})
