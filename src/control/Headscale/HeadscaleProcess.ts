/**
 * The managed Headscale as a process: its files, its start with a deny-all policy from the first second, its API key, and its
 * end. It runs in a session of its own; one that outlived a killed control plane is taken over when it is the same program with
 * the same configuration, and ended otherwise.
 */
import { Effect, Redacted, Result, Schema } from "effect"
import { execFile, spawn } from "node:child_process"
import { chmod, mkdir, open, realpath, rename, rm } from "node:fs/promises"
import { dirname } from "node:path"
import { promisify } from "node:util"
import { accessState } from "../../actors/machines/managedHeadscale.ts"
import type { Listen } from "../Config.ts"
import { readText, replaceFile } from "../files.ts"
import { processesOf, startTimeOf } from "../Processes.ts"
import { configFor, type HeadscalePaths } from "./config.ts"
import { denyAll } from "./policy.ts"

export class HeadscaleFailed extends Schema.TaggedError<HeadscaleFailed>()("HeadscaleFailed", { step: Schema.String, reason: Schema.String }) {}

export interface HeadscaleOptions {
  readonly binary: string
  readonly paths: HeadscalePaths
  readonly listen: Listen
  readonly controlUrl: string
}

export interface HeadscaleProcess { readonly pid: number; readonly startTime: number }

const run = promisify(execFile)
const attempt = <A>(step: string, action: () => Promise<A>): Effect.Effect<A, HeadscaleFailed> =>
  Effect.tryPromise({ try: action, catch: (cause) => new HeadscaleFailed({ step, reason: reasonOf(cause) }) })
const reasonOf = (cause: unknown): string => {
  const { stderr, message } = cause as { readonly stderr?: string; readonly message?: string }
  return (stderr?.trim() || message || String(cause)).slice(-500)
}

/** Whether this very process still runs. */
export const isAlive = ({ pid, startTime }: HeadscaleProcess): boolean => startTimeOf(pid) === startTime

export const localUrl = ({ listen }: HeadscaleOptions): string => {
  const host = listen.host === "0.0.0.0" ? "127.0.0.1" : listen.host === "::" ? "::1" : listen.host
  return `http://${host.includes(":") ? `[${host}]` : host}:${listen.port}`
}

const cli = (options: HeadscaleOptions, step: string, ...args: ReadonlyArray<string>) =>
  attempt(step, () => run(options.binary, ["-c", options.paths.config, ...args], { timeout: 20_000, killSignal: "SIGKILL" }))

/** Writes the files. Answers the orphan that may be kept, if there is one. */
export const prepare = Effect.fn("Headscale.prepare")(function*(options: HeadscaleOptions) {
  const { paths } = options
  const program = yield* attempt("find its program", () => realpath(options.binary))
  yield* attempt("make its folder", async () => {
    for (const folder of [paths.directory, dirname(paths.socket)]) {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await chmod(folder, 0o700)
    }
  })
  const config = configFor(paths, options.listen, options.controlUrl)
  const before = yield* Effect.promise(() => readText(paths.config))
  const orphan = findOrphan(paths, program)
  if (orphan !== undefined && orphan.isOurs && before === config) return orphan.process
  if (orphan !== undefined) yield* end(orphan.process)
  yield* attempt("write its configuration", async () => {
    await replaceFile(paths.config, config)
    await replaceFile(paths.policy, denyAll)
    await rm(paths.socket, { force: true })
  })
  yield* cli(options, "set the deny-all policy", "policy", "set", "--force", "--bypass-grpc-and-access-database-directly", "-f", paths.policy)
  return undefined
})

/**
 * The process that serves this configuration, found by its arguments: there is no instant at which a killed control plane could
 * leave one behind that is not found. `isOurs`: it runs the very program that would be started now.
 */
const findOrphan = (paths: HeadscalePaths, program: string): { readonly process: HeadscaleProcess; readonly isOurs: boolean } | undefined => {
  const found = processesOf(serving(paths))[0]
  const startTime = found === undefined ? undefined : startTimeOf(found.pid)
  return found === undefined || startTime === undefined ? undefined : { process: { pid: found.pid, startTime }, isOurs: found.program === program }
}

const serving = (paths: HeadscalePaths): ReadonlyArray<string> => ["-c", paths.config, "serve"]

/** Starts it and waits until it is healthy, at most 20 seconds. Interrupted or failed, it leaves no process behind. */
export const start = Effect.fn("Headscale.start")((options: HeadscaleOptions) => Effect.uninterruptibleMask((restore) => Effect.gen(function*() {
  const headscale = yield* attempt("start it", () => launch(options))
  yield* restore(waitHealthy(options, headscale)).pipe(Effect.onError(() => end(headscale)))
  return headscale
})))

const launch = async ({ paths, binary }: HeadscaleOptions): Promise<HeadscaleProcess> => {
  await rename(paths.log, `${paths.log}.1`).catch(() => {})
  const log = await open(paths.log, "a", 0o600)
  try {
    const child = spawn(binary, serving(paths), {
      cwd: paths.directory, detached: true, env: { PATH: process.env["PATH"], HOME: paths.directory }, stdio: ["ignore", log.fd, log.fd]
    })
    await new Promise<void>((ok, fail) => child.once("spawn", ok).once("error", fail))
    child.unref()
    const startTime = startTimeOf(child.pid!)
    if (startTime === undefined) throw new Error("it ended at once")
    return { pid: child.pid!, startTime }
  } finally {
    await log.close()
  }
}

const waitHealthy = (options: HeadscaleOptions, process: HeadscaleProcess) => Effect.gen(function*() {
  // Somebody else may have the address, and not answer: the process has ended by then.
  const healthy = Effect.promise((signal) => fetch(`${localUrl(options)}/health`, { signal }).then((answer) => answer.ok, () => false)).pipe(
    Effect.timeoutOrElse({ duration: "1 second", orElse: () => Effect.succeed(false) }))
  while (!(yield* healthy)) {
    if (!isAlive(process)) return yield* new HeadscaleFailed({ step: "become healthy", reason: `it ended; see ${options.paths.log}` })
    yield* Effect.sleep("20 millis")
  }
}).pipe(Effect.timeoutOrElse({
  duration: "20 seconds", orElse: () => new HeadscaleFailed({ step: "become healthy", reason: `it does not answer at ${localUrl(options)}/health; see ${options.paths.log}` })
}))

/** The key of an earlier start while it is accepted, else a new one. */
export const authorize = Effect.fn("Headscale.authorize")(function*(options: HeadscaleOptions) {
  const kept = yield* keptKey(options.paths.apiKey)
  if (kept !== undefined && (yield* accepts(options, kept))) return Redacted.make(kept)
  const { stdout } = yield* cli(options, "make an API key", "apikeys", "create", "--expiration", "3650d")
  const key = stdout.trim().split("\n").at(-1)!.trim()
  yield* attempt("keep its API key", () => replaceFile(options.paths.apiKey, `${accessState.encode({ apiKey: key })}\n`))
  return Redacted.make(key)
})

const keptKey = Effect.fnUntraced(function*(path: string) {
  const text = yield* Effect.promise(() => readText(path))
  if (text === undefined) return undefined
  const state = accessState.decode(text)
  if (Result.isSuccess(state)) return state.success.apiKey
  yield* Effect.logWarning(`dropped: ${path}: ${state.failure.message}; ${accessState.without}`)
  return undefined
})

const accepts = (options: HeadscaleOptions, key: string) =>
  Effect.promise((signal) => fetch(`${localUrl(options)}/api/v1/node`, { signal, headers: { authorization: `Bearer ${key}` } }).then((answer) => answer.ok, () => false)).pipe(
    Effect.timeoutOrElse({ duration: "10 seconds", orElse: () => Effect.succeed(false) })
  )

/** TERM, and KILL when it has not ended five seconds later. */
export const end = (process: HeadscaleProcess): Effect.Effect<void> => Effect.gen(function*() {
  yield* signal(process, "SIGTERM")
  yield* gone(process).pipe(Effect.timeoutOrElse({ duration: "5 seconds", orElse: () => Effect.andThen(signal(process, "SIGKILL"), gone(process)) }))
})

const signal = (target: HeadscaleProcess, name: NodeJS.Signals) => Effect.sync(() => {
  if (isAlive(target)) process.kill(target.pid, name)
})

/** Completes when the process has ended. It may be nobody's child, so it is looked at. */
export const gone = (process: HeadscaleProcess): Effect.Effect<void> =>
  Effect.suspend(() => isAlive(process) ? Effect.andThen(Effect.sleep("200 millis"), gone(process)) : Effect.void)
