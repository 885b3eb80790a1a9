/** `gstacks network limit ...` */
import { Command } from "effect/cli"
import { clear } from "./clear.ts"
import { list } from "./list.ts"
import { set } from "./set.ts"

export const limit = Command.make("limit").pipe(
  Command.withDescription("Limits of streams: on an alias, over all that come to it, or on what one sandbox opens"),
  Command.withSubcommands([set, list, clear])
)
