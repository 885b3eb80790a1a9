/** `gstacks network alias ...` */
import { Command } from "effect/cli"
import { add } from "./add.ts"
import { list } from "./list.ts"
import { move } from "./move.ts"
import { remove } from "./remove.ts"

export const alias = Command.make("alias").pipe(
  Command.withDescription("Names that sandboxes publish in a network"),
  Command.withSubcommands([add, list, move, remove])
)
