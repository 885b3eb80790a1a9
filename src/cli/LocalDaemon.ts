/**
 * The user's background process, which has joined networks: reached at its socket, and started by `mesh join` when it does not run. It
 * has a session of its own, so it outlives the terminal.
 */
import { Context, Effect, Layer, Schedule, type Scope } from "effect"
import { spawn } from "node:child_process"
import { closeSync, mkdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { answers } from "./answers.ts"
import { failed, type Failure, notFound } from "./Failure.ts"
import { alone, removeRemains } from "./LocalDaemon/alone.ts"
import type { Client } from "./LocalDaemon/client.ts"
import { openLog } from "./LocalDaemon/log.ts"
import { type Places, placesIn } from "./LocalDaemon/places.ts"
import { withNamespaces } from "./LocalDaemon/userNamespace.ts"
import { Shell } from "./Shell.ts"

/** The process has ended, or is about to. */
export const isAway = ({ problem }: Failure): boolean => problem.type.endsWith(":background-away")

const startPatience = "10 seconds"

export class LocalDaemon extends Context.Service<LocalDaemon, {
  /** Undefined: it does not run, and what a killed one has left is removed. */
  readonly running: Effect.Effect<Client | undefined, Failure, Scope.Scope>
  /** Started if it does not run. */
  readonly started: Effect.Effect<Client, Failure, Scope.Scope>
  /** The one that runs; a failure that says what to do when none does. */
  readonly needed: (network: string) => Effect.Effect<Client, Failure, Scope.Scope>
}>()("gstacks/cli/LocalDaemon") {
  static readonly layer = Layer.effect(LocalDaemon, Effect.gen(function*() {
    const { env } = yield* Shell
    const places = placesIn(env)
    const running = Effect.flatMap(answers({ path: places.socket }), (yes): Effect.Effect<Client | undefined, Failure, Scope.Scope> =>
      yes ? Effect.flatMap(Effect.promise(() => import("./LocalDaemon/client.ts")), (module) => module.connect(places.socket)) : Effect.as(swept(places), undefined))
    return LocalDaemon.of({
      running,
      started: Effect.flatMap(running, (client) => client === undefined ? Effect.andThen(start(places, env), begun(running, places)) : Effect.succeed(client)),
      needed: (network) => Effect.flatMap(running, (client) => client === undefined
        ? Effect.fail(notFound("not-joined", `this machine has not joined network ${network}`, `gstacks mesh join ${network}`))
        : Effect.succeed(client))
    })
  }))
}

/** Of one that was killed. */
const swept = ({ lock, meshdSocket, meshdState, socket }: Places) => Effect.sync(() => removeRemains(lock, [socket, meshdSocket, meshdState]))

const start = (places: Places, env: Readonly<Record<string, string | undefined>>) => Effect.try({
  try: () => {
    mkdirSync(places.runtimeDir, { recursive: true, mode: 0o700 })
    const log = openLog(places.log)
    const [program, ...args] = [...alone(places.lock), ...withNamespaces(), process.execPath, join(dirname(process.argv[1] ?? ""), "local.mjs")]
    spawn(program!, args, { detached: true, stdio: ["ignore", log, log], cwd: "/", env: { ...env } }).unref()
    closeSync(log)
  },
  catch: (cause) => failed("background-failed", "The background process did not start", `the background process cannot be started: ${(cause as Error).message}`, `check ${places.runtimeDir}`)
})

const begun = (running: Effect.Effect<Client | undefined, Failure, Scope.Scope>, places: Places) => running.pipe(
  Effect.repeat({ until: (client) => client !== undefined, schedule: Schedule.spaced("30 millis") }),
  Effect.timeoutOrElse({ duration: startPatience, orElse: () => Effect.fail(failed("background-failed", "The background process did not start", "the background process did not start within 10 s", `read ${places.log}`)) }),
  Effect.map((client) => client!)
)
