/** `gstacks agent list` */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { ControlApi } from "../../ControlApi.ts"
import { showList } from "../../output/view.ts"

export const list = Command.make("list", {}, Effect.fn(function*() {
  const api = yield* ControlApi
  yield* showList({
    items: yield* api.call((client) => client.agents.list()),
    columns: [
      ["NAME", (a) => a.name], ["STATE", (a) => a.online ? "online" : "offline"], ["LAST SEEN", (a) => a.lastSeenAt], ["GRANTS UNTIL", (a) => a.contact?.freezesAt], ["SANDBOXES", (a) => a.sandboxes],
      ["NETWORKS", (a) => a.networks.join(",")], ["TRANSPORT", (a) => a.host?.transport], ["VERSION", (a) => a.host?.version]
    ],
    name: (a) => a.name,
    empty: "there are no agents",
    next: "gstacks agent token create"
  })
})).pipe(Command.withDescription("List agents, one per host"), Command.withExamples([{ command: "gstacks agent list" }]))
