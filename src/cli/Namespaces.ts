/**
 * A program with a network of its own and the user's files, terminal, folder and environment: bubblewrap makes the namespaces, below
 * the user namespace of the background process, whose meshd may enter them. It is held until it is let go, and ends with this process.
 */
import { Effect, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { accessSync, constants as file, readFileSync, readlinkSync } from "node:fs"
import { constants } from "node:os"
import { join } from "node:path"
import type { Readable, Writable } from "node:stream"
import type { CommandPlace } from "../protocol/local/MeshRpcs.ts"
import { failed, type Failure } from "./Failure.ts"
import { Shell, type Signal } from "./Shell.ts"

export interface Held {
  readonly pid: number
  readonly release: Effect.Effect<void>
  readonly signal: (signal: Signal) => Effect.Effect<void>
  /** As a shell tells it: 128 and the signal's number when one ended it. */
  readonly exit: Effect.Effect<number>
}

const holdPatience = "10 seconds"
const catchable = "INT,QUIT,HUP,TERM"

/**
 * A signal from the keyboard reaches every process of the terminal. Bubblewrap, which only waits, must not end of it: the program would
 * end with it, whatever it makes of the signal itself.
 */
export const wordsFor = ({ empty, files, pid }: CommandPlace, isElsewhere: boolean, program: ReadonlyArray<string>): ReadonlyArray<string> => [
  ...isElsewhere ? ["nsenter", `--user=/proc/${pid}/ns/user`, "--preserve-credentials", "--"] : [],
  "env", `--ignore-signal=${catchable}`,
  "bwrap", "--unshare-user", "--unshare-net", "--cap-drop", "ALL", "--die-with-parent", "--dev-bind", "/", "/",
  ...empty.flatMap((folder) => ["--tmpfs", folder]),
  ...files.flatMap(({ source, target }) => ["--ro-bind", source, target]),
  "--json-status-fd", "3", "--block-fd", "4",
  "--", "env", `--default-signal=${catchable}`, "--", ...program
]

const isElsewhere = (pid: number): boolean => readlinkSync(`/proc/${pid}/ns/user`) !== readlinkSync("/proc/self/ns/user")

const isInstalled = (program: string, path: string): boolean => path.split(":").some((folder) => {
  try {
    accessSync(join(folder, program), file.X_OK)
    return true
  } catch {
    return false
  }
})

/** Whether this process is of those that the terminal's keys send signals to, as the program then is, too. */
const inForeground = (): boolean => {
  const stat = readFileSync("/proc/self/stat", "utf8")
  const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return group === foreground
}

const cannotStart = (detail: string, hint: string) => failed("command-not-started", "The command was not started", detail, hint)

/** Fails when bubblewrap ends before it has a process. */
const pidOf = (child: ChildProcess): Effect.Effect<number, Failure> => Effect.callback<number, Failure>((resume) => {
  let said = ""
  const status = child.stdio[3] as Readable
  status.setEncoding("utf8").on("data", (text: string) => {
    said += text
    const found = /"child-pid": (\d+)/.exec(said)
    if (found !== null) resume(Effect.succeed(Number(found[1])))
  })
  child.once("error", (error) => resume(Effect.fail(cannotStart(`${child.spawnfile} cannot be started: ${error.message}`, "check that it is installed"))))
  child.once("exit", () => resume(Effect.fail(cannotStart("bubblewrap could not make the command's namespaces; above is what it said", "gstacks mesh status"))))
}).pipe(Effect.timeoutOrElse({ duration: holdPatience, orElse: () => Effect.fail(cannotStart("bubblewrap did not make the command's namespaces within 10 s", "try again")) }))

const codeOf = (code: number | null, signal: NodeJS.Signals | null): number => code ?? 128 + (signal === null ? 0 : constants.signals[signal])

const isOver = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

export const hold = (place: CommandPlace, program: ReadonlyArray<string>): Effect.Effect<Held, Failure, Shell | Scope.Scope> => Effect.gen(function*() {
  const { env } = yield* Shell
  if (!isInstalled("bwrap", env["PATH"] ?? "")) {
    return yield* cannotStart("bubblewrap, which makes the command's namespaces, is not installed", "sudo apt-get install bubblewrap, or your system's word for it")
  }
  const [first, ...args] = wordsFor(place, isElsewhere(place.pid), program)
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(first!, args, { stdio: ["inherit", "inherit", "inherit", "pipe", "pipe"], env: { ...env } })),
    (child) => Effect.sync(() => { if (!isOver(child)) child.kill("SIGKILL") }))
  const exited = new Promise<number>((resolve) => child.once("exit", (code, signal) => resolve(codeOf(code, signal))))
  const gate = child.stdio[4] as Writable
  gate.on("error", () => undefined) // it has ended: that is heard of anyway
  const pid = yield* pidOf(child)
  return {
    pid,
    release: Effect.sync(() => { gate.end("go") }),
    exit: Effect.promise(() => exited),
    signal: (signal) => Effect.sync(() => {
      const itHasIt = (signal === "SIGINT" || signal === "SIGQUIT") && inForeground()
      if (!itHasIt && !isOver(child)) process.kill(pid, signal)
    })
  }
})
