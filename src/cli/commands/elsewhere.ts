/** Commands that `bin/gstacks` hands to other programs. They are listed here so that help and completions know them. */
import { Command } from "effect/cli"
import { usage } from "../Failure.ts"

const elsewhere = <const Name extends string>(name: Name, command: string, description: string) =>
  Command.make(name, {}, () =>
    usage(`${command} is a program of its own, and its words come first on the line`, `${command} ...`)).pipe(
    Command.withDescription(description)
  )

export const control = elsewhere("control", "gstacks control", "Run the control plane in the foreground")
export const agentRun = elsewhere("run", "gstacks agent run", "Run this host's agent in the foreground")

const dev = (name: string, description: string) => elsewhere(name, `gstacks dev ${name}`, description)

export const devCluster = Command.make("dev").pipe(
  Command.withDescription("The disposable local cluster"),
  Command.withSubcommands([
    dev("up", "Start the cluster: gstacks dev up [--hosts N] [--detach]"),
    dev("down", "End it, with every process in it"),
    dev("status", "List its processes"),
    dev("exec", "Run a tool on one of its hosts: gstacks dev exec <host> -- <command...>")
  ])
)
