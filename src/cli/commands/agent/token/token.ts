/** `gstacks agent token ...` */
import { Command } from "effect/cli"
import { create } from "./create.ts"
import { list } from "./list.ts"
import { revoke } from "./revoke.ts"

export const token = Command.make("token").pipe(
  Command.withDescription("Enrolment tokens"),
  Command.withSubcommands([create, list, revoke])
)
