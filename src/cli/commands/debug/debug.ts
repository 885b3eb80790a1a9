/** `gstacks debug ...` */
import { Command } from "effect/cli"
import { actor } from "./actor.ts"
import { actors } from "./actors.ts"
import { inspect } from "./inspect.ts"
import { record } from "./record.ts"
import { replay } from "./replay.ts"

export const debug = Command.make("debug").pipe(
  Command.withDescription("Look into the running actors of the cluster"),
  Command.withSubcommands([actors, actor, record, replay, inspect])
)
