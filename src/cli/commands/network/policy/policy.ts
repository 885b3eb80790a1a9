/** `gstacks network policy ...` */
import { Command } from "effect/cli"
import { allow } from "./allow.ts"
import { list } from "./list.ts"
import { revoke } from "./revoke.ts"

export const policy = Command.make("policy").pipe(
  Command.withDescription("Rules: who may reach which alias and port; without a rule all is refused"),
  Command.withSubcommands([allow, list, revoke])
)
