/** `gstacks network alias list dev` */
import { Effect } from "effect"
import { Command } from "effect/cli"
import type { Alias } from "../../../../domain/Network.ts"
import { publishedFromText } from "../../../../domain/Publication.ts"
import { ControlApi } from "../../../ControlApi.ts"
import type { Columns } from "../../../output/table.ts"
import { showList } from "../../../output/view.ts"
import { network } from "../../../words.ts"

export const aliasColumns: Columns<Alias> = [
  ["ALIAS", (a) => a.name], ["NAME", (a) => a.hostName], ["ADDRESS", (a) => a.address], ["PORTS", (a) => a.ports.join(",")],
  ["SANDBOX", (a) => a.local === null ? a.sandbox : publishedFromText(a.local)], ["AGENT", (a) => a.agent]
]

export const list = Command.make("list", { network }, Effect.fn(function*({ network }) {
  const api = yield* ControlApi
  yield* showList({
    items: yield* api.call((client) => client.networks.aliases({ params: { network } })),
    columns: aliasColumns,
    name: (a) => a.name,
    empty: `network ${network} has no aliases`,
    next: `gstacks network attach ${network} <sandbox> --alias api --port 8080`
  })
})).pipe(Command.withDescription("List a network's aliases"), Command.withExamples([{ command: "gstacks network alias list dev" }]))
