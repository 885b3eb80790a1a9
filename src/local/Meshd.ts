/**
 * The meshd that this process runs for itself, without any privilege: it hangs on a pipe, so that it ends with this process, however
 * that ends. Its life is a session's: when it ends, so does the session, and the next one starts another.
 */
import { Context, Effect, Layer, Schedule, type Scope, Stream } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { rm } from "node:fs/promises"
import { MeshdUnavailable } from "../agent/dataplane/MeshdClient.ts"
import { Places } from "./Places.ts"

const patienceMs = 5_000

const end = (child: ChildProcess) => Effect.callback<void>((resume) => {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
  const impatience = setTimeout(() => child.kill("SIGKILL"), patienceMs)
  child.once("exit", () => {
    clearTimeout(impatience)
    resume(Effect.void)
  })
  child.stdin!.end()
})

export class Meshd extends Context.Service<Meshd, {
  /** Runs meshd while the scope is open; answers how to hear of its end. */
  readonly run: Effect.Effect<Effect.Effect<never, MeshdUnavailable>, MeshdUnavailable, Scope.Scope>
}>()("gstacks/local/Meshd") {
  static readonly layer = Layer.effect(Meshd, Effect.map(Places, (places) => Meshd.of({ run: run(places) })))
}

const run = Effect.fnUntraced(function*({ meshd, meshdSocket, meshdState }: Places["Service"]) {
  yield* Effect.promise(() => rm(meshdState, { recursive: true, force: true })) // the keys of a life before
  yield* Effect.promise(() => rm(meshdSocket, { force: true }))
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(meshd, ["-lifeline", "-socket", meshdSocket, "-state", meshdState], { stdio: ["pipe", "ignore", "inherit"] })),
    (child) => Effect.andThen(end(child), Effect.promise(() => rm(meshdState, { recursive: true, force: true })))
  )
  child.stdin!.on("error", () => undefined) // it has ended: that is heard of anyway
  const ended = Effect.callback<never, MeshdUnavailable>((resume) => {
    const tell = (why: string) => resume(Effect.fail(new MeshdUnavailable({ message: why })))
    if (child.exitCode !== null || child.signalCode !== null) tell("meshd has ended")
    child.once("error", (error) => tell(`meshd could not be started: ${error.message}`))
    child.once("exit", (code, signal) => tell(`meshd ended: ${signal === null ? `exit code ${code}` : `signal ${signal}`}`))
  })
  const listening = Effect.sync(() => existsSync(meshdSocket)).pipe(
    Effect.repeat({ until: (there) => there, schedule: Schedule.spaced("20 millis") }), Effect.timeout("10 seconds"),
    Effect.mapError(() => new MeshdUnavailable({ message: "meshd does not open its socket" })))
  yield* Effect.raceFirst(listening, ended)
  return ended
})

/** `session` with a meshd of its own. */
export const withMeshd = <A, E, R>(session: Stream.Stream<A, E, R>): Stream.Stream<A, E | MeshdUnavailable, R | Meshd> =>
  Stream.unwrap(Effect.map(Effect.flatMap(Meshd, (meshd) => meshd.run), (ended) => Stream.interruptWhen(session, ended)))
