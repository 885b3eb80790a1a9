/** `gstacks sandbox show web` */
import { Effect } from "effect"
import { Command } from "effect/cli"
import type { Sandbox } from "../../../domain/Sandbox.ts"
import { ControlApi } from "../../ControlApi.ts"
import { properties } from "../../output/table.ts"
import { show as showView } from "../../output/view.ts"
import { sandbox } from "../../words.ts"
import { describeLabels, describeState } from "./list.ts"

const page = (box: Sandbox): string =>
  properties([
    ["Name", box.name], ["Id", box.id], ["State", describeState(box)], ["Agent", box.agent], ["Labels", describeLabels(box.labels)],
    ["Command", box.spec.command.join(" ")],
    ["Env", Object.keys(box.spec.env).join(", ")],
    ["Binds", box.spec.binds.map((b) => `${b.source}:${b.target}${b.writable ? ":rw" : ""}`).join(", ")],
    ["Networks", box.networks.map((n) => n.network + (n.aliases.length === 0 ? "" : ` as ${n.aliases.join(", ")}`)).join("; ")],
    ["Created", box.createdAt]
  ])

export const show = Command.make("show", { sandbox }, Effect.fn(function*({ sandbox }) {
  const api = yield* ControlApi
  const box = yield* api.call((client) => client.sandboxes.show({ params: { sandbox } }))
  yield* showView({ document: box, table: () => page(box), names: () => [box.name] })
})).pipe(Command.withDescription("Show a sandbox: state, agent, command, networks"), Command.withExamples([{ command: "gstacks sandbox show web" }]))
