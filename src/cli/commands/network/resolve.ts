/** `gstacks network resolve dev api`: name -> virtual address, target sandbox and agent. */
import { Effect } from "effect"
import { Argument, Command } from "effect/cli"
import { publishedFromText } from "../../../domain/Publication.ts"
import { ControlApi } from "../../ControlApi.ts"
import { properties } from "../../output/table.ts"
import { show } from "../../output/view.ts"
import { network, reference } from "../../words.ts"

export const resolve = Command.make("resolve", { network, alias: reference("alias", "Alias, like api").pipe(Argument.withMetavar("<alias>")) }, Effect.fn(function*({ network, alias }) {
  const api = yield* ControlApi
  const found = yield* api.call((client) => client.networks.resolve({ params: { network, alias } }))
  yield* show({
    document: found,
    table: () =>
      properties([
        ["Name", found.hostName], ["Address", found.address], ["Ports", found.ports.join(", ")],
        ...found.local === null
          ? [["Sandbox", `${found.sandbox} (${found.sandboxId})`], ["Agent", `${found.agent} (${found.agentOnline ? "online" : "offline"})`]] as const
          : [["Published from", publishedFromText(found.local)]] as const
      ]),
    names: () => [found.address]
  })
})).pipe(
  Command.withDescription("Show an alias's virtual address, target sandbox and agent"),
  Command.withExamples([{ command: "gstacks network resolve dev api" }])
)
