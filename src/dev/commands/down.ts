/** `gstacks dev down [--purge]`: ends the cluster, whoever started it. Comes back when no process of it is left. */
import { Effect, Schedule } from "effect"
import { Command, Flag } from "effect/cli"
import { rm } from "node:fs/promises"
import { note, show } from "../../cli/output/view.ts"
import * as Starter from "../starter.ts"
import * as worldFile from "../worldFile.ts"
import * as words from "./words.ts"

const patienceMs = 20_000

const starterGone = (starter: Starter.Starter) =>
  Effect.suspend(() => Starter.isAlive(starter) ? Effect.fail("alive" as const) : Effect.void).pipe(
    Effect.retry(Schedule.max([Schedule.spaced("20 millis"), Schedule.recurs(patienceMs / 20)]))
  )

export const down = Command.make("down", {
  name: words.cluster,
  purge: Flag.Boolean("purge").pipe(Flag.withDescription("Remove its state too: networks, sandboxes' records, logs"), Flag.withoutNegation, Flag.withDefault(false))
}, Effect.fn(function*({ name: cluster, purge }) {
  const starter = Starter.running(cluster)
  const world = worldFile.read(cluster)
  if (starter !== null) {
    yield* note(`ending cluster ${cluster.name}`)
    process.kill(starter.pid, "SIGTERM")
    yield* starterGone(starter).pipe(Effect.catch(() => Effect.sync(() => process.kill(starter.pid, "SIGKILL"))))
  }
  yield* worldFile.gone(world, patienceMs)
  if (purge) yield* Effect.promise(() => rm(cluster.stateDir, { recursive: true, force: true }))
  const was = starter === null ? "was not running" : "has ended"
  yield* show({
    document: { name: cluster.name, wasRunning: starter !== null, purged: purge },
    table: () => `cluster ${cluster.name} ${was}${purge ? "; its state is removed" : ""}\n`,
    names: () => [cluster.name]
  })
})).pipe(Command.withDescription("End the cluster with every process in it; its state stays for the next dev up"))
