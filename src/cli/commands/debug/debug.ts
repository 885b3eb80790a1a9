/** `gstacks debug ...` */
import { Command } from "effect/cli"
import { actor } from "./actor.ts"
import { actors } from "./actors.ts"

export const debug = Command.make("debug").pipe(
  Command.withDescription("Look into a running agent"),
  Command.withSubcommands([actors, actor])
)
