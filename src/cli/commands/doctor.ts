/** `gstacks doctor`: configuration, control plane, agents and settings, each with what to do. Exit code 1 when something fails. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { examine } from "../Doctor.ts"
import { ExitWith } from "../Failure.ts"
import { table } from "../output/table.ts"
import { show } from "../output/view.ts"

export const doctor = Command.make("doctor", {}, Effect.fn(function*() {
  const findings = yield* examine
  yield* show({
    document: findings,
    table: () => table([["CHECK", (f) => f.check], ["RESULT", (f) => f.result], ["DETAIL", (f) => f.detail], ["NEXT", (f) => f.next]], findings),
    names: () => findings.filter((f) => f.result !== "ok").map((f) => f.check)
  })
  if (findings.some((f) => f.result === "fail")) return yield* new ExitWith({ code: 1 })
})).pipe(
  Command.withDescription("Look for what is wrong, here, at the control plane and at agents, and say what to do"),
  Command.withExamples([{ command: "gstacks doctor" }])
)
