/** `gstacks network policy ...` */
import { Command } from "effect/cli"
import { allow } from "./allow.ts"
import { apply, diff } from "./apply.ts"
import { explain } from "./explain.ts"
import { exportPolicy } from "./export.ts"
import { list } from "./list.ts"
import { whatCan, whoCan } from "./reach.ts"
import { replay } from "./replay.ts"
import { revoke } from "./revoke.ts"

export const policy = Command.make("policy").pipe(
  Command.withDescription("Rules: who may reach which alias and port; without a rule all is refused"),
  Command.withSubcommands([allow, list, revoke, explain, whoCan, whatCan, exportPolicy, apply, diff, replay])
)
