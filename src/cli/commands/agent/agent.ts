/** `gstacks agent ...` */
import { Command } from "effect/cli"
import { agentRun } from "../elsewhere.ts"
import { list } from "./list.ts"
import { metrics } from "./metrics.ts"
import { remove } from "./remove.ts"
import { show } from "./show.ts"
import { token } from "./token/token.ts"

export const agent = Command.make("agent").pipe(
  Command.withDescription("Agents (one per host) and the tokens that enrol them"),
  Command.withSubcommands([list, show, metrics, remove, token, agentRun])
)
