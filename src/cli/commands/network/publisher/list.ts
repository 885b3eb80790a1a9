/** `gstacks network publisher list dev` */
import { Effect } from "effect"
import { Command } from "effect/cli"
import type { Publisher } from "../../../../domain/Publication.ts"
import { ControlApi } from "../../../ControlApi.ts"
import type { Columns } from "../../../output/table.ts"
import { showList } from "../../../output/view.ts"
import { network } from "../../../words.ts"

export const publisherColumns: Columns<Publisher> = [["USER", (p) => p.user], ["ALLOWED", (p) => p.allowedAt], ["BY", (p) => p.allowedBy]]

export const list = Command.make("list", { network }, Effect.fn(function*({ network }) {
  const api = yield* ControlApi
  yield* showList({
    items: yield* api.call((client) => client.publishers.list({ params: { network } })), columns: publisherColumns, name: (p) => p.user,
    empty: `nobody may publish in network ${network} from a joined machine`, next: `gstacks network publisher allow ${network} <user>`
  })
})).pipe(Command.withDescription("List who may publish from joined machines"), Command.withExamples([{ command: "gstacks network publisher list dev" }]))
