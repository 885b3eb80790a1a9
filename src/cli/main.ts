/** Entry point of the CLI: wires the services, runs the words of this process, exits with the command's code. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Layer } from "effect"
import { Command } from "effect/cli"
import { gstacks } from "./commands/gstacks.ts"
import { ControlApi } from "./ControlApi.ts"
import { globalFlags } from "./GlobalFlags.ts"
import { LocalAgent } from "./LocalAgent.ts"
import { LocalDaemon } from "./LocalDaemon.ts"
import { nodeShell, runAsProcess } from "./nodeShell.ts"
import { run } from "./run.ts"

/** Built inside the command, where its global flags are known. */
const services = Layer.provideMerge(Layer.merge(LocalAgent.layer, LocalDaemon.layer), ControlApi.layer)
const tree = gstacks.pipe(Command.provide(services), Command.withGlobalFlags(globalFlags))
const shell = nodeShell(process.argv.slice(2))

await runAsProcess(shell, run(tree).pipe(Effect.provide(Layer.merge(shell.layer, NodeServices.layer))))
