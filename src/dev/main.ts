/** Entry point of `gstacks dev`: the CLI's own shell, flags and errors around the commands of the disposable cluster. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Exit, Fiber, Layer } from "effect"
import { Command } from "effect/cli"
import { globalFlags } from "../cli/GlobalFlags.ts"
import { nodeShell } from "../cli/nodeShell.ts"
import { interrupted, run } from "../cli/run.ts"
import type { Signal } from "../cli/Shell.ts"
import { down } from "./commands/down.ts"
import { exec } from "./commands/exec.ts"
import { status } from "./commands/status.ts"
import { background, up } from "./commands/up.ts"

const dev = Command.make("dev").pipe(Command.withDescription("The disposable local cluster"), Command.withSubcommands([up, down, status, exec, background]))
const tree = Command.make("gstacks").pipe(Command.withSubcommands([dev]), Command.withGlobalFlags(globalFlags))

const shell = nodeShell(process.argv.slice(2))
const command = Effect.runFork(run(tree).pipe(Effect.provide(Layer.merge(shell.layer, NodeServices.layer))))

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] satisfies ReadonlyArray<Signal>) {
  process.on(signal, () => {
    if (!shell.deliver(signal)) Effect.runFork(Fiber.interrupt(command))
  })
}

const exit = await Effect.runPromise(Fiber.await(command))
process.exit(Exit.isSuccess(exit) ? exit.value : interrupted)
