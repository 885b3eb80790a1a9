/** `gstacks agent token list` */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { ControlApi } from "../../../ControlApi.ts"
import { showList } from "../../../output/view.ts"

export const list = Command.make("list", {}, Effect.fn(function*() {
  const api = yield* ControlApi
  const tokens = yield* api.call((client) => client.tokens.list())
  yield* showList({
    items: tokens.filter((token) => token.kind === "enrolment"),
    columns: [["ID", (t) => t.id], ["NAME", (t) => t.name], ["CREATED", (t) => t.createdAt], ["EXPIRES", (t) => t.expiresAt], ["USED", (t) => t.usedAt], ["BY", (t) => t.usedBy]],
    name: (t) => t.id,
    empty: "there are no enrolment tokens",
    next: "gstacks agent token create"
  })
})).pipe(Command.withDescription("List enrolment tokens, without their secrets"), Command.withExamples([{ command: "gstacks agent token list" }]))
