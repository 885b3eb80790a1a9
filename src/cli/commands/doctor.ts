/** `gstacks doctor`: configuration, control plane, agents and settings, each with what to do. Exit code 1 when something fails. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { examine, type Finding } from "../Doctor.ts"
import { ExitWith } from "../Failure.ts"
import { table } from "../output/table.ts"
import { show } from "../output/view.ts"
import { settingsIn, type ShownSetting } from "../settings.ts"
import { Shell } from "../Shell.ts"

const page = (checks: ReadonlyArray<Finding>, settings: ReadonlyArray<ShownSetting>): string =>
  table([["CHECK", (f) => f.check], ["RESULT", (f) => f.result], ["DETAIL", (f) => f.detail], ["NEXT", (f) => f.next]], checks) +
  "\nSettings, as they are in this environment:\n" +
  table([["VARIABLE", (s) => s.name], ["READ BY", (s) => s.reader], ["VALUE", (s) => s.value ?? `not set: ${s.otherwise}`]], settings)

export const doctor = Command.make("doctor", {}, Effect.fn(function*() {
  const checks = yield* examine
  const settings = settingsIn((yield* Shell).env)
  yield* show({
    document: { checks, settings },
    table: () => page(checks, settings),
    names: () => checks.filter((f) => f.result !== "ok").map((f) => f.check)
  })
  if (checks.some((f) => f.result === "fail")) return yield* new ExitWith({ code: 1 })
})).pipe(
  Command.withDescription("Look for what is wrong, here, at the control plane and at agents, and say what to do"),
  Command.withExamples([{ command: "gstacks doctor" }])
)
