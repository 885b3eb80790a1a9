/** `gstacks network policy revoke dev <rule>`: connections that rested on the rule alone are reset. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { showChange } from "../../../Changes.ts"
import { ControlApi } from "../../../ControlApi.ts"
import { network, reference } from "../../../words.ts"
import { dryRun, dryRunFlag } from "./dryRun.ts"

export const revoke = Command.make("revoke", { network, rule: reference("rule", "Rule id, from network policy list"), dry: dryRunFlag }, Effect.fn(function*({ network, rule, dry }) {
  if (dry) return yield* dryRun(network, { _tag: "Revoke", rule })
  const api = yield* ControlApi
  const { value, change } = yield* api.call((client) => client.networks.revoke({ params: { network, rule } }))
  yield* showChange({ value, changes: [change], name: value.id, said: `rule ${value.id} revoked: ${value.from} to ${value.to}:${value.ports} in ${change.network}` })
})).pipe(
  Command.withDescription("Remove a rule; connections that only it allowed are reset"),
  Command.withExamples([{ command: "gstacks network policy revoke dev rul_01j9x0k7q2c4m8f3za" }])
)
