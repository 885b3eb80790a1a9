/** `gstacks network policy list dev` */
import { Effect } from "effect"
import { Command } from "effect/cli"
import type { Rule } from "../../../../domain/Network.ts"
import { ControlApi } from "../../../ControlApi.ts"
import type { Columns } from "../../../output/table.ts"
import { showList } from "../../../output/view.ts"
import { network } from "../../../words.ts"

export const ruleColumns: Columns<Rule> = [
  ["RULE", (r) => r.id], ["FROM", (r) => r.from], ["TO", (r) => r.to], ["PORT", (r) => r.ports], ["CREATED", (r) => r.createdAt], ["BY", (r) => r.createdBy],
  ["EXPIRES", (r) => r.expiresAt ?? "never"], ["COMMENT", (r) => r.comment]
]

export const list = Command.make("list", { network }, Effect.fn(function*({ network }) {
  const api = yield* ControlApi
  yield* showList({
    items: yield* api.call((client) => client.networks.rules({ params: { network } })),
    columns: ruleColumns,
    name: (r) => r.id,
    empty: `network ${network} has no rules, so all is refused`,
    next: `gstacks network policy allow ${network} --from <source> --to <alias> --port <port>`
  })
})).pipe(Command.withDescription("List a network's rules"), Command.withExamples([{ command: "gstacks network policy list dev" }]))
