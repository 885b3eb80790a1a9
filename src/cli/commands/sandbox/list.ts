/** `gstacks sandbox list` */
import { Effect } from "effect"
import { Command } from "effect/cli"
import type { Sandbox } from "../../../domain/Sandbox.ts"
import { ControlApi } from "../../ControlApi.ts"
import { showList } from "../../output/view.ts"

export const describeState = ({ state, exitCode, reason }: Pick<Sandbox, "state" | "exitCode" | "reason">): string =>
  state + (exitCode === null ? "" : ` (exit code ${exitCode})`) + (reason === null ? "" : `: ${reason}`)

export const describeLabels = (labels: Sandbox["labels"]): string => Object.entries(labels).map(([key, value]) => `${key}=${value}`).join(",")

export const list = Command.make("list", {}, Effect.fn(function*() {
  const api = yield* ControlApi
  yield* showList({
    items: yield* api.call((client) => client.sandboxes.list()),
    columns: [
      ["NAME", (s) => s.name], ["ID", (s) => s.id], ["AGENT", (s) => s.agent], ["NETWORKS", (s) => s.networks.map((n) => n.network).join(",")],
      ["LABELS", (s) => describeLabels(s.labels)], ["STATE", describeState]
    ],
    name: (s) => s.name,
    empty: "there are no sandboxes",
    next: "gstacks sandbox run web -- <command...>"
  })
})).pipe(Command.withDescription("List sandboxes"), Command.withExamples([{ command: "gstacks sandbox list" }]))
