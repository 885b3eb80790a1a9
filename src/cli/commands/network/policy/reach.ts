/** `gstacks network policy who-can dev api:8080` and `what-can dev sandbox:web`: reachability by the rules, seen from either end. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import type { Reach } from "../../../../domain/Reachability.ts"
import { ControlApi } from "../../../ControlApi.ts"
import type { Columns } from "../../../output/table.ts"
import { showList } from "../../../output/view.ts"
import { aliasAndPort, network, selector } from "../../../words.ts"

const from: Columns<Reach> = [["SOURCE", (r) => r.source], ["AGENT", (r) => r.agent]]
const to: Columns<Reach> = [["TARGET", (r) => `${r.alias}:${r.port}`], ["HOST NAME", (r) => r.hostName], ["SANDBOX", (r) => r.target]]
const by: Columns<Reach> = [["RULES", (r) => r.rules.join(", ")]]

export const whoCan = Command.make("who-can", { network, target: aliasAndPort }, Effect.fn(function*({ network, target }) {
  const api = yield* ControlApi
  yield* showList({
    items: yield* api.call((client) => client.networks.reachable({ params: { network }, query: target })),
    columns: [...from, ...by], name: (r) => r.source,
    empty: `nobody may reach ${target.alias}:${target.port} in ${network}`,
    next: `gstacks network policy allow ${network} --from <source> --to ${target.alias} --port ${target.port}`
  })
})).pipe(
  Command.withDescription("List the sources that may reach an alias and port"),
  Command.withExamples([{ command: "gstacks network policy who-can dev api:8080" }])
)

export const whatCan = Command.make("what-can", { network, source: selector }, Effect.fn(function*({ network, source }) {
  const api = yield* ControlApi
  yield* showList({
    items: yield* api.call((client) => client.networks.reachable({ params: { network }, query: { source } })),
    columns: [...from, ...to, ...by], name: (r) => `${r.alias}:${r.port}`,
    empty: `${source} may reach nothing in ${network}`,
    next: `gstacks network policy allow ${network} --from ${source} --to <alias> --port <port>`
  })
})).pipe(
  Command.withDescription("List the aliases and ports that a source may reach"),
  Command.withExamples([{ command: "gstacks network policy what-can dev sandbox:web" }])
)
