/**
 * `gstacks dev exec <host> -- <command...>`: runs a program of this machine in a host's network namespace, with the world's processes
 * and mounts. Standard streams and exit code are the program's; own failures exit 125.
 */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { spawn } from "node:child_process"
import { constants } from "node:os"
import { join } from "node:path"
import { ExitWith, Failure, failed } from "../../cli/Failure.ts"
import { programWords } from "../../cli/commands/sandbox/program.ts"
import { Shell } from "../../cli/Shell.ts"
import { program } from "../../cli/words.ts"
import type { Cluster } from "../Cluster.ts"
import * as worldFile from "../worldFile.ts"
import * as words from "./words.ts"

/** Stays where the caller is, as far as the world has that folder. */
const inSameFolder = 'cd "$0" 2>/dev/null || cd /; exec "$@"'

/** A network namespace that the world has mounted, as others see it: through the root folder of the world's first process. */
export const networkOf = (init: number, name: string): string => join("/proc", String(init), "root", "run/netns", name)

/**
 * Arguments of nsenter. The host's namespace is opened by path, since it is a mount of the world only. Root stays root of the machine:
 * in the world's user namespace nobody may change groups, as tcpdump does at its start.
 */
export const enter = (init: number, host: string, folder: string, command: ReadonlyArray<string>): ReadonlyArray<string> => [
  `--target=${init}`, ...process.getuid?.() === 0 ? [] : ["--user", "--preserve-credentials"], "--mount", "--pid",
  `--net=${host === "control" ? `/proc/${init}/ns/net` : networkOf(init, host)}`,
  "--", "sh", "-c", inSameFolder, folder, ...command
]

const place = (cluster: Cluster, host: string) =>
  Effect.gen(function*() {
    const world = worldFile.read(cluster)
    const init = worldFile.processes(world).find((seen) => seen.inner === 1)
    if (world === null || init === undefined) {
      return yield* failed("cluster-not-running", "No cluster", `cluster ${cluster.name} is not running`, words.command("up", cluster))
    }
    if (!(host in world.networks)) {
      return yield* failed("no-such-host", "No such host", `cluster ${cluster.name} has no host ${host}; it has ${Object.keys(world.networks).join(", ")}`, words.command("status", cluster))
    }
    return init.pid
  })

const run = (args: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const { onSignal } = yield* Shell
    const child = spawn("nsenter", args, { stdio: "inherit" })
    yield* onSignal((signal) => Effect.sync(() => void child.kill(signal)))
    return yield* Effect.callback<number, Failure>((resume) => {
      child.once("error", (error) => resume(Effect.fail(failed("exec-failed", "Not run", `nsenter could not be started: ${error.message}`, "install util-linux"))))
      child.once("exit", (code, signal) => resume(Effect.succeed(signal === null ? code ?? 1 : 128 + constants.signals[signal])))
    })
  })

export const exec = Command.make("exec", { name: words.cluster, host: words.host, command: program }, Effect.fn(function*({ command, host, name }) {
  const argv = yield* programWords(command, "gstacks dev exec host-1 -- ip address")
  const init = yield* place(name, host)
  const code = yield* Effect.scoped(run(enter(init, host, process.cwd(), argv)))
  if (code !== 0) return yield* new ExitWith({ code })
}, Effect.catchTag("Failure", (failure) => Effect.fail(new Failure({ problem: failure.problem, exitCode: 125 }))))).pipe(
  Command.withDescription("Run a tool on a host of the cluster; everything after -- is passed as it is"),
  Command.withExamples([{ command: "gstacks dev exec host-1 -- ip address" }, { command: "gstacks dev exec host-2 -- tcpdump -ni eth0" }])
)
