/**
 * One process of the cluster, kept alive as an init would keep it: started again when it ends, at first after 0.1 s and then with
 * back-off up to 1 s, which a life of 1 s resets. Interruption stops it: SIGTERM, then SIGKILL after 5 s.
 */
import { Clock, Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { BoundedLog } from "./BoundedLog.ts"
import type { ProcessState } from "./WorldConfig.ts"

export interface UnitSpec {
  readonly role: string
  readonly host: string | null
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
  readonly logFile: string
}

const firstDelayMs = 100
const longestDelayMs = 1_000
const steadyAfterMs = 1_000
const stopPatienceMs = 5_000
const logLimitBytes = 4 * 1024 * 1024

export const delayAfter = (deathsInARow: number) => Math.min(firstDelayMs * 2 ** (deathsInARow - 1), longestDelayMs)

const stop = (child: ChildProcess) =>
  Effect.callback<void>((resume) => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    const impatience = setTimeout(() => child.kill("SIGKILL"), stopPatienceMs)
    child.once("exit", () => {
      clearTimeout(impatience)
      resume(Effect.void)
    })
    child.kill("SIGTERM")
  })

/** Runs it once; answers how it ended. */
const live = (spec: UnitSpec, log: BoundedLog, started: (pid: number) => void) =>
  Effect.callback<string>((resume) => {
    const child = spawn(spec.command, spec.args, { env: spec.env, stdio: ["ignore", "pipe", "pipe"] })
    child.stdout.on("data", (chunk: Buffer) => log.write(chunk))
    child.stderr.on("data", (chunk: Buffer) => log.write(chunk))
    child.once("error", (error) => resume(Effect.succeed(`could not start: ${error.message}`)))
    child.once("exit", (code, signal) => resume(Effect.succeed(signal === null ? `exit code ${code}` : `signal ${signal}`)))
    if (child.pid !== undefined) started(child.pid)
    return stop(child)
  })

export const keepRunning = (spec: UnitSpec, report: (state: ProcessState) => void): Effect.Effect<never> =>
  Effect.gen(function*() {
    const log = new BoundedLog(spec.logFile, logLimitBytes)
    let restarts = 0
    let deathsInARow = 0
    let lastExit: string | null = null
    const tell = (state: ProcessState["state"], pid: number | null) =>
      report({ role: spec.role, host: spec.host, pid, state, restarts, lastExit })
    while (true) {
      const began = yield* Clock.currentTimeMillis
      lastExit = yield* live(spec, log, (pid) => tell("running", pid))
      const lived = (yield* Clock.currentTimeMillis) - began
      deathsInARow = lived >= steadyAfterMs ? 1 : deathsInARow + 1
      restarts += 1
      log.write(`-- ${spec.role} ended: ${lastExit}\n`)
      tell("restarting", null)
      yield* Effect.sleep(delayAfter(deathsInARow))
    }
  })
