/** Entry point of `gstacks dev`: the CLI's own shell, flags and errors around the commands of the disposable cluster. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Layer } from "effect"
import { Command } from "effect/cli"
import { globalFlags } from "../cli/GlobalFlags.ts"
import { nodeShell, runAsProcess } from "../cli/nodeShell.ts"
import { run } from "../cli/run.ts"
import { down } from "./commands/down.ts"
import { exec } from "./commands/exec.ts"
import { status } from "./commands/status.ts"
import { background, up } from "./commands/up.ts"

const dev = Command.make("dev").pipe(Command.withDescription("The disposable local cluster"), Command.withSubcommands([up, down, status, exec, background]))
const tree = Command.make("gstacks").pipe(Command.withSubcommands([dev]), Command.withGlobalFlags(globalFlags))

const shell = nodeShell(process.argv.slice(2))

await runAsProcess(shell, run(tree).pipe(Effect.provide(Layer.merge(shell.layer, NodeServices.layer))))
