/**
 * Runs a program in a running sandbox: it cannot gain a privilege, then enters the namespaces, and only inside gets the
 * environment that its owner chose: no word of it may steer a program that still runs on the host. It runs in a session of
 * its own; signals go to all of it, and it ends with the caller. Bytes are passed as they come; the program's exit code is
 * the answer.
 */
import * as NodeStream from "@effect/platform-node/NodeStream"
import { Context, Effect, Layer, Stream } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { constants } from "node:os"
import { PassThrough, type Readable } from "node:stream"
import { ExecFailed, type ExecOutput } from "../../protocol/local/LocalRpcs.ts"
import { childrenOf, isAlive, type ProcessRef } from "./process.ts"

export interface ExecRequest {
  readonly process: ProcessRef
  readonly command: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
  readonly stdin: boolean
}
export type ExecSignal = "SIGINT" | "SIGTERM" | "SIGHUP" | "SIGQUIT"

export class Exec extends Context.Service<Exec, {
  readonly run: (request: ExecRequest) => Stream.Stream<ExecOutput, ExecFailed>
  /** Answers when the program can take more. Null closes its input. */
  readonly input: (execId: string, bytes: Uint8Array | null) => Effect.Effect<void, ExecFailed>
  readonly signal: (execId: string, signal: ExecSignal) => Effect.Effect<void, ExecFailed>
}>()("gstacks/agent/Exec") {
  static readonly layer = Layer.effect(Exec, Effect.sync(() => make()))
}

const programsAtOnce = 256

const unknown = new ExecFailed({ message: "no such program is running any more", hint: "run it again" })

/**
 * The working directory becomes the sandbox's root. Entering a user namespace gives all its capabilities, and what is then
 * started loses them again, as its user is not root there. What comes after the second `--` is found inside.
 */
export const execCommand = (pid: number, command: ReadonlyArray<string>, env: Readonly<Record<string, string>>): ReadonlyArray<string> => [
  "setpriv", "--no-new-privs", "--inh-caps=-all", "--ambient-caps=-all", "--",
  "nsenter", "--target", String(pid), "--user", "--mount", "--net", "--pid", "--ipc", "--uts", "--preserve-credentials", "--",
  "setsid", "env", "-i", ...Object.entries(env).map(([name, value]) => `${name}=${value}`), ...command
]

/** For programs of the host, and to find the first ones inside. */
const hostEnvironment = { PATH: `${process.env["PATH"] ?? ""}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin` }

const make = (): Exec["Service"] => {
  const running = new Map<string, ChildProcess>()
  const find = (execId: string) => Effect.suspend(() => Effect.fromNullishOr(running.get(execId)).pipe(Effect.mapError(() => unknown)))

  const run = ({ process, command, env, stdin }: ExecRequest) => Stream.unwrap(Effect.gen(function*() {
    if (!isAlive(process)) return yield* new ExecFailed({ message: "the sandbox has ended", hint: "see its exit code: gstacks sandbox list" })
    if (running.size >= programsAtOnce) return yield* new ExecFailed({ message: `${programsAtOnce} programs are running already`, hint: "try again when some have ended" })
    if (command[0]?.includes("=") === true || Object.keys(env).some((name) => !/^[^=\0-][^=\0]*$/.test(name))) {
      return yield* new ExecFailed({ message: "a program's name cannot hold =, and neither can that of a variable, which cannot begin with - either", hint: "run it through a shell: -- sh -c ..." })
    }
    const [file, ...args] = execCommand(process.pid, command, env) as [string, ...Array<string>]
    const { child, stderr, stdout } = yield* Effect.acquireRelease(start(file, args, stdin), ({ child }) => Effect.sync(() => signalAll(child, "SIGKILL")))
    const execId = randomUUID()
    running.set(execId, child)
    yield* Effect.addFinalizer(() => Effect.sync(() => running.delete(execId)))
    const exited = new Promise<number>((resolve) => child.once("exit", (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]))))
    const outputs = Stream.merge(output("Stdout", stdout), output("Stderr", stderr))
    const ended: Stream.Stream<ExecOutput> = Stream.fromEffect(Effect.map(Effect.promise(() => exited), (code) => ({ _tag: "Exited", code }) as const))
    return Stream.concat(Stream.succeed<ExecOutput>({ _tag: "Started", execId }), Stream.concat(outputs, ended))
  }))

  return Exec.of({
    run,
    input: (execId, bytes) => Effect.flatMap(find(execId), (child) => Effect.callback<void>((resume) => {
      const input = child.stdin
      if (input === null || input.destroyed || input.writableEnded) return resume(Effect.void) // it has closed its input: nobody reads, as in a pipe
      if (bytes === null) input.end(() => resume(Effect.void))
      else input.write(bytes, () => resume(Effect.void))
    })),
    signal: (execId, signal) => Effect.flatMap(find(execId), (child) => Effect.sync(() => signalAll(child, signal)))
  })
}

interface Started { readonly child: ChildProcess; readonly stdout: Readable; readonly stderr: Readable }

/** The output is piped on from the first moment: Node throws away what nobody has begun to read when the program ends. */
const start = (file: string, args: ReadonlyArray<string>, stdin: boolean): Effect.Effect<Started, ExecFailed> =>
  Effect.callback((resume) => {
    const fail = (error: unknown) => resume(Effect.fail(new ExecFailed({
      message: `the sandbox cannot be entered: ${error instanceof Error ? error.message : String(error)}`,
      hint: "shorten the command and its environment if they are too long; otherwise install util-linux (nsenter, setpriv)"
    })))
    try {
      const child = spawn(file, args, { env: hostEnvironment, cwd: "/", stdio: [stdin ? "pipe" : "ignore", "pipe", "pipe"] })
      const stdout = child.stdout!.pipe(new PassThrough()), stderr = child.stderr!.pipe(new PassThrough())
      child.once("error", fail)
      child.once("spawn", () => resume(Effect.succeed({ child, stdout, stderr })))
      child.stdin?.on("error", () => {}) // EPIPE: the program does not read on
    } catch (error) {
      fail(error) // arguments that no program can be given are thrown: too long, or with a zero byte
    }
  })

const output = (tag: "Stdout" | "Stderr", readable: Readable): Stream.Stream<ExecOutput, ExecFailed> =>
  NodeStream.fromReadable<Uint8Array, ExecFailed>({
    evaluate: () => readable, onError: (error) => new ExecFailed({ message: `reading the program's output: ${String(error)}`, hint: "run it again" })
  }).pipe(Stream.map((bytes) => ({ _tag: tag, bytes }) as const))

/** The program is the one child of nsenter and leads a session, and so a process group, of its own. */
const signalAll = (nsenter: ChildProcess, signal: NodeJS.Signals): void => {
  if (nsenter.pid === undefined || nsenter.exitCode !== null || nsenter.signalCode !== null) return
  const programs = childrenOf(nsenter.pid)
  if (programs.length === 0) nsenter.kill(signal)
  for (const pid of programs) {
    try {
      process.kill(-pid, signal)
    } catch {
      try { process.kill(pid, signal) } catch { /* it has just ended */ }
    }
  }
}
