/** `gstacks network publisher ...` */
import { Command } from "effect/cli"
import { allow } from "./allow.ts"
import { list } from "./list.ts"
import { revoke } from "./revoke.ts"

export const publisher = Command.make("publisher").pipe(
  Command.withDescription("Who may publish ports of joined machines with mesh publish; nobody, unless allowed here"),
  Command.withSubcommands([allow, list, revoke])
)
