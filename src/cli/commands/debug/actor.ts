/** `gstacks debug actor <address> [--agent host-1]` */
import { Clock, Effect, Option } from "effect"
import { Command } from "effect/cli"
import { notFound } from "../../Failure.ts"
import { LocalAgent } from "../../LocalAgent.ts"
import { properties } from "../../output/table.ts"
import { show } from "../../output/view.ts"
import { reference } from "../../words.ts"
import { age, agentFlag } from "./actors.ts"

export const actor = Command.make("actor", { address: reference("address", "Address, as debug actors shows it"), agent: agentFlag }, Effect.fn(function*({ address, agent }) {
  const all = yield* Effect.scoped(Effect.flatMap(LocalAgent, (local) => Effect.flatMap(local.named(Option.getOrUndefined(agent)), (client) => client.actors)))
  const found = all.find((actor) => actor.address === address)
  if (found === undefined) return yield* notFound("actor-not-found", `there is no actor ${address}`, "gstacks debug actors -o name")
  const now = yield* Clock.currentTimeMillis
  yield* show({
    document: found,
    table: () =>
      properties([
        ["Address", found.address], ["Kind", found.kind], ["Machine", found.machine], ["State", found.state], ["Since", `${new Date(found.since).toISOString()} (${age(now - found.since)})`],
        ["Restarts", found.restarts], ["Mailbox", found.mailbox], ["Last error", found.lastError]
      ]),
    names: () => [found.address]
  })
})).pipe(
  Command.withDescription("Show one actor of an agent"),
  Command.withExamples([{ command: "gstacks debug actor agent/link --agent host-1" }])
)
