/** Types commands where the user can see them: prints each as a user would write it, runs it, prints what it said as it comes. */
import { Effect } from "effect"
import { spawn } from "node:child_process"

export interface Ran {
  readonly code: number
  readonly stdout: string
}

const bold = (text: string) => process.stdout.isTTY && !process.env["NO_COLOR"] ? `\u001b[1m${text}\u001b[0m` : text

export const say = (text: string) => Effect.sync(() => void process.stdout.write(`${text}\n`))

/** As a shell would need it. */
const word = (text: string) => /^[A-Za-z0-9_./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`

const run = (program: string, args: ReadonlyArray<string>, env: NodeJS.ProcessEnv, show: (chunk: Buffer) => void) =>
  Effect.callback<Ran>((resume) => {
    const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] })
    const stdout: Array<Buffer> = []
    child.stdout.on("data", (chunk: Buffer) => {
      stdout.push(chunk)
      show(chunk)
    })
    child.stderr.on("data", show)
    child.once("error", (error) => resume(Effect.die(error)))
    child.once("close", (code) => resume(Effect.succeed({ code: code ?? 1, stdout: Buffer.concat(stdout).toString() })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

export interface Terminal {
  /** Shown with its output. */
  readonly type: (...args: ReadonlyArray<string>) => Effect.Effect<Ran>
  /** Not shown. */
  readonly ask: (...args: ReadonlyArray<string>) => Effect.Effect<Ran>
}

export const terminal = (gstacks: string, env: NodeJS.ProcessEnv): Terminal => ({
  type: (...args) =>
    say(bold(`\n$ gstacks ${args.map(word).join(" ")}`)).pipe(
      Effect.andThen(run(gstacks, args, env, (chunk) => void process.stdout.write(chunk)))
    ),
  ask: (...args) => run(gstacks, args, env, () => undefined)
})
