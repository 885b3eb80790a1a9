/** `gstacks agent metrics [host-1]`: what this machine's own agent has counted, as OpenMetrics text, also while the control plane is away. */
import { Effect, Option } from "effect"
import { Argument, Command } from "effect/cli"
import { LocalAgent } from "../../LocalAgent.ts"
import { Shell } from "../../Shell.ts"
import { reference } from "../../words.ts"

export const metrics = Command.make("metrics", { agent: reference("agent", "An agent on this machine; the only one there is, when left out").pipe(Argument.optional) }, Effect.fn(function*({ agent }) {
  const { out } = yield* Shell
  const client = yield* (yield* LocalAgent).named(Option.getOrUndefined(agent))
  yield* out(yield* client.metrics)
}, Effect.scoped)).pipe(
  Command.withDescription("Print what the agent on this machine has counted since its start, as OpenMetrics text; works without the control plane"),
  Command.withExamples([{ command: "gstacks agent metrics" }, { command: "gstacks agent metrics host-1" }])
)
