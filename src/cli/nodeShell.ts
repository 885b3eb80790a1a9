/** The Shell of a real process. A reader that went away (`| head`) ends the command quietly. */
import { Effect, Exit, Fiber, Layer } from "effect"
import { createInterface } from "node:readline/promises"
import { Writable } from "node:stream"
import { interrupted } from "./run.ts"
import { Shell, type Signal } from "./Shell.ts"

const brokenPipe = 141

const write = (stream: NodeJS.WriteStream) => (chunk: string | Uint8Array): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    stream.write(chunk, (error) => {
      if ((error as NodeJS.ErrnoException | null | undefined)?.code === "EPIPE") process.exit(brokenPipe)
      resume(Exit.void)
    })
  })

/** An input that breaks ends, as it does for any filter. */
const read = Effect.callback<Uint8Array | null>((resume) => {
  const { stdin } = process
  const settle = (chunk: Uint8Array | null) => {
    forget()
    resume(Effect.succeed(chunk))
  }
  const take = () => {
    const chunk: Buffer | null = stdin.read()
    if (chunk !== null) settle(chunk)
  }
  const end = () => settle(null)
  const forget = () => stdin.off("readable", take).off("end", end).off("error", end)
  if (stdin.readableEnded || stdin.destroyed) return end()
  stdin.on("readable", take).on("end", end).on("error", end)
  take()
  return Effect.sync(forget)
})

/** Echo of hidden input goes nowhere. */
const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })

const ask = (question: string, options?: { readonly hidden?: boolean }) =>
  Effect.promise(async (signal) => {
    process.stderr.write(question)
    const lines = createInterface({ input: process.stdin, output: options?.hidden ? nowhere : process.stderr, terminal: process.stdin.isTTY })
    try {
      return await lines.question("", { signal })
    } finally {
      lines.close()
      if (options?.hidden) process.stderr.write("\n")
    }
  })

const signals: ReadonlyArray<Signal> = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]

/** What runs a command as this process: its shell, and its end as the process's end. */
export interface NodeShell {
  readonly layer: Layer.Layer<Shell>
  /** Gives a signal to the command; false when it does not take signals. */
  readonly deliver: (signal: Signal) => boolean
}

export const nodeShell = (args: ReadonlyArray<string>): NodeShell => {
  let handler: ((signal: Signal) => Effect.Effect<void>) | undefined
  for (const stream of [process.stdout, process.stderr]) stream.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? brokenPipe : 1))
  return {
    layer: Layer.succeed(Shell, {
      args, env: process.env, read, ask,
      out: write(process.stdout), err: write(process.stderr),
      interactive: process.stdin.isTTY === true && process.stderr.isTTY === true,
      colours: process.stdout.isTTY === true && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb",
      onSignal: (take) => Effect.acquireRelease(Effect.sync(() => { handler = take }), () => Effect.sync(() => { handler = undefined })).pipe(Effect.asVoid)
    }),
    deliver: (signal) => {
      if (handler === undefined) return false
      Effect.runFork(handler(signal))
      return true
    }
  }
}

/** Runs `command` and ends this process with its exit code. A signal that the command does not take interrupts it. */
export const runAsProcess = async <E>(shell: NodeShell, command: Effect.Effect<number, E>): Promise<never> => {
  const fiber = Effect.runFork(command)
  for (const signal of signals) {
    process.on(signal, () => {
      if (!shell.deliver(signal)) Effect.runFork(Fiber.interrupt(fiber))
    })
  }
  const exit = await Effect.runPromise(Fiber.await(fiber))
  process.exit(Exit.isSuccess(exit) ? exit.value : interrupted)
}
