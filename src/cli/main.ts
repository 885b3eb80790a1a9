/** Entry point of the CLI: wires the services, runs the words of this process, exits with the command's code. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Exit, Fiber, Layer } from "effect"
import { Command } from "effect/cli"
import { gstacks } from "./commands/gstacks.ts"
import { ControlApi } from "./ControlApi.ts"
import { globalFlags } from "./GlobalFlags.ts"
import { LocalAgent } from "./LocalAgent.ts"
import { nodeShell } from "./nodeShell.ts"
import { interrupted, run } from "./run.ts"
import type { Signal } from "./Shell.ts"

/** Built inside the command, where its global flags are known. */
const services = Layer.provideMerge(LocalAgent.layer, ControlApi.layer)
const tree = gstacks.pipe(Command.provide(services), Command.withGlobalFlags(globalFlags))
const shell = nodeShell(process.argv.slice(2))

const command = Effect.runFork(run(tree).pipe(Effect.provide(Layer.merge(shell.layer, NodeServices.layer))))

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] satisfies ReadonlyArray<Signal>) {
  process.on(signal, () => {
    if (!shell.deliver(signal)) Effect.runFork(Fiber.interrupt(command))
  })
}

const exit = await Effect.runPromise(Fiber.await(command))
process.exit(Exit.isSuccess(exit) ? exit.value : interrupted)
