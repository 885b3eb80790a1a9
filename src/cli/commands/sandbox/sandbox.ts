/** `gstacks sandbox ...` */
import { Command } from "effect/cli"
import { exec } from "./exec.ts"
import { list } from "./list.ts"
import { logs } from "./logs.ts"
import { remove } from "./remove.ts"
import { run } from "./run.ts"
import { show } from "./show.ts"
import { stop } from "./stop.ts"

export const sandbox = Command.make("sandbox").pipe(
  Command.withDescription("Sandboxes of the built-in driver, run by agents"),
  Command.withSubcommands([run, list, show, exec, logs, stop, remove])
)
