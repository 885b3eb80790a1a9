/** The Shell of a real process. A reader that went away (`| head`) ends the command quietly. */
import { Effect, Exit, Layer } from "effect"
import { interrupted } from "./run.ts"
import { type Screen, Shell, type Signal } from "./Shell.ts"

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

const enter = /[\r\n]/
const erase = /[\b\u007f]/
const interruptKey = "\u0003"
const endKey = "\u0004"

/** What a person types up to Enter, or to the end of input. In raw mode, which does not echo, the keys that the terminal handles otherwise are handled here. */
const typed = Effect.gen(function*() {
  let text = ""
  for (let bytes = yield* read; bytes !== null; bytes = yield* read) {
    for (const key of Buffer.from(bytes).toString("utf8")) {
      if (key === interruptKey) return yield* Effect.interrupt
      if (enter.test(key) || key === endKey) return text
      text = erase.test(key) ? text.slice(0, -1) : text + key
    }
  }
  return text
})

const rawMode = (on: boolean) => Effect.sync(() => void process.stdin.setRawMode(on))

/** The mode is set before the question is there to be answered. */
const ask = (question: string, options?: { readonly hidden?: boolean }) => {
  const answer = Effect.andThen(write(process.stderr)(question), typed)
  return options?.hidden
    ? Effect.acquireUseRelease(rawMode(true), () => answer, () => Effect.andThen(rawMode(false), write(process.stderr)("\n")))
    : answer
}

const screen = Effect.sync((): Screen => ({ columns: process.stdout.columns, rows: process.stdout.rows }))

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
      screen: process.stdout.isTTY === true && process.env["TERM"] !== "dumb" ? screen : null,
      colours: process.stdout.isTTY === true && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb",
      onSignal: (take) => Effect.acquireRelease(Effect.sync(() => { handler = take }), () => Effect.sync(() => { handler = () => Effect.void })).pipe(Effect.asVoid)
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
  const stop = new AbortController()
  for (const signal of signals) {
    process.on(signal, () => {
      if (!shell.deliver(signal)) stop.abort()
    })
  }
  const exit = await Effect.runPromiseExit(command, { signal: stop.signal })
  process.exit(Exit.isSuccess(exit) ? exit.value : interrupted)
}
