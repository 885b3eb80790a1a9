/**
 * Runs the managed Headscale as an actor, on one control plane at a time: with the embedded database the lock on its directory
 * sees to that, with PostgreSQL a session advisory lock, whose loss stops Headscale here.
 */
import { Effect, Layer, Option, Schedule, SubscriptionRef } from "effect"
import { SqlClient } from "effect/sql"
import { join } from "node:path"
import { managedHeadscaleMachine, type Running, type Trouble } from "../../actors/machines/managedHeadscale.ts"
import { ActorSystem } from "../../actors/runtime/ActorSystem.ts"
import * as Bridge from "../../actors/runtime/bridge.ts"
import { machineChild } from "../../actors/runtime/ChildSpec.ts"
import { meshAddress } from "../actorAddresses.ts"
import type { Config } from "../Config.ts"
import { Mesh } from "../Mesh.ts"
import { Tree } from "../Tree.ts"
import { makeApi } from "./Api.ts"
import { pathsIn } from "./config.ts"
import * as HeadscaleProcess from "./HeadscaleProcess.ts"

/** Any number will do, as long as all replicas agree on it. */
const lockKey = 0x67_73_68_73

const child = "managedHeadscale"

export const layer = ({ mesh: config, stateDir, database }: Pick<Config, "mesh" | "stateDir" | "database">) => Layer.effectDiscard(Effect.gen(function*() {
  if (config._tag !== "Managed") return
  const actors = yield* ActorSystem
  const mesh = yield* Mesh
  const bridge = yield* Bridge.make<never>()
  yield* Tree
  const options: HeadscaleProcess.HeadscaleOptions = {
    binary: config.binary, listen: config.listen, controlUrl: config.controlUrl, paths: pathsIn(join(stateDir, "headscale"))
  }
  const logged = <A>(effect: Effect.Effect<A, HeadscaleProcess.HeadscaleFailed>): Effect.Effect<A, Trouble> => Effect.catch(effect, ({ step, reason }) =>
    Effect.andThen(Effect.logError(`Headscale could not ${step}: ${reason}`), Effect.fail({ step, reason })))

  const machine = managedHeadscaleMachine.provide({
    actors: {
      prepare: bridge.fromEffect(() => logged<Running | undefined>(HeadscaleProcess.prepare(options))),
      start: bridge.fromEffect(() => logged<Running>(HeadscaleProcess.start(options))),
      authorize: bridge.fromEffect(() => logged(Effect.gen(function*() {
        const key = yield* HeadscaleProcess.authorize(options)
        yield* SubscriptionRef.set(mesh.current, Option.some(yield* makeApi(HeadscaleProcess.localUrl(options), key)))
      }))),
      watch: bridge.fromEffect((process: HeadscaleProcess.HeadscaleProcess): Effect.Effect<void> =>
        Effect.ensuring(HeadscaleProcess.gone(process), SubscriptionRef.set(mesh.current, Option.none()))),
      end: bridge.fromEffect((process: HeadscaleProcess.HeadscaleProcess): Effect.Effect<void> => HeadscaleProcess.end(process))
    }
  })

  const run = Effect.flatMap(actors.supervisor(meshAddress), (supervisor) => Effect.acquireRelease(
    supervisor.startChild(machineChild({
      id: child, logic: machine, restart: "permanent", shutdownMs: 8_000, stopEvent: { type: "stop" }, redact: ["process", "attempt", "lastTrouble"]
    })),
    () => supervisor.stopChild(child)
  ))
  if (database._tag === "Url") yield* Effect.forkScoped(whileLeader(Effect.andThen(run, Effect.never)))
  else yield* Effect.orDie(run)
}))

/** Runs `body` while this process holds the lock; the lock is lost with its connection, which is asked every two seconds. */
const whileLeader = <E, R>(body: Effect.Effect<never, E, R>) => Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const connection = yield* sql.reserve
  const ask = (statement: string) => connection.executeValues(statement, [])
  yield* ask(`select pg_try_advisory_lock(${lockKey})`).pipe(
    Effect.repeat({ until: (rows) => rows[0]?.[0] === true, schedule: Schedule.spaced("1 second") })
  )
  yield* Effect.addFinalizer(() => Effect.ignore(ask(`select pg_advisory_unlock(${lockKey})`)))
  const hold = ask("select 1").pipe(Effect.timeout("3 seconds"), Effect.repeat(Schedule.spaced("2 seconds")))
  return yield* Effect.raceFirst(body, Effect.andThen(hold, Effect.never))
}).pipe(
  Effect.scoped,
  Effect.tapError((error) => Effect.logWarning("No longer the one that runs Headscale.", error)),
  Effect.retry(Schedule.spaced("1 second"))
)
