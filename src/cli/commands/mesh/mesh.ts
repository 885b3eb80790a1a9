/** `gstacks mesh ...` */
import { Command } from "effect/cli"
import { close } from "./close.ts"
import { exec } from "./exec.ts"
import { forward } from "./forward.ts"
import { join } from "./join.ts"
import { leave } from "./leave.ts"
import { publish } from "./publish.ts"
import { revoke } from "./revoke.ts"
import { status } from "./status.ts"
import { unpublish } from "./unpublish.ts"

export const mesh = Command.make("mesh").pipe(
  Command.withDescription("Networks from this machine: join one, forward its aliases to local addresses, run commands that see it, and publish local ports in it"),
  Command.withSubcommands([join, forward, exec, publish, status, close, unpublish, leave, revoke])
)
