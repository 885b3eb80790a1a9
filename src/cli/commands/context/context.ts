/** `gstacks context ...` */
import { Command } from "effect/cli"
import { list } from "./list.ts"
import { use } from "./use.ts"

export const context = Command.make("context").pipe(
  Command.withDescription("Control planes that you know, with your token"),
  Command.withSubcommands([list, use])
)
