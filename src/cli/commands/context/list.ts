/** `gstacks context list` */
import { Effect } from "effect"
import { Command } from "effect/cli"
import * as Contexts from "../../Contexts.ts"
import { showList } from "../../output/view.ts"

export const list = Command.make("list", {}, Effect.fn(function*() {
  const { contexts, current } = yield* Contexts.read
  yield* showList({
    items: Object.entries(contexts).map(([name, { url, token }]) => ({ name, url, current: name === current, loggedIn: token !== undefined })),
    columns: [["CURRENT", (c) => c.current ? "*" : null], ["NAME", (c) => c.name], ["URL", (c) => c.url], ["LOGGED IN", (c) => c.loggedIn ? "yes" : "no"]],
    name: (c) => c.name,
    empty: "there are no contexts",
    next: "gstacks login --url <url>"
  })
})).pipe(Command.withDescription("List the control planes that you know"), Command.withExamples([{ command: "gstacks context list" }]))
