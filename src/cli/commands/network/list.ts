/** `gstacks network list` */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { ControlApi } from "../../ControlApi.ts"
import { showList } from "../../output/view.ts"

export const list = Command.make("list", {}, Effect.fn(function*() {
  const api = yield* ControlApi
  yield* showList({
    items: yield* api.call((client) => client.networks.list()),
    columns: [
      ["NAME", (n) => n.name], ["SUFFIX", (n) => n.suffix], ["VERSION", (n) => `v${n.version}`],
      ["SANDBOXES", (n) => n.attachments], ["ALIASES", (n) => n.aliases], ["RULES", (n) => n.rules]
    ],
    name: (n) => n.name,
    empty: "there are no networks",
    next: "gstacks network create dev"
  })
})).pipe(Command.withDescription("List networks"), Command.withExamples([{ command: "gstacks network list" }]))
