/** A cluster's world as its own world.json and /proc tell it, from outside. */
import { Effect, Option, Schedule, Schema } from "effect"
import { readFileSync } from "node:fs"
import { type Cluster, worldFile } from "./Cluster.ts"
import { inNamespace, type Seen } from "./processes.ts"
import { WorldState } from "./world/WorldConfig.ts"

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(WorldState))

export const read = (cluster: Cluster): WorldState | null => {
  try {
    return Option.getOrNull(decode(readFileSync(worldFile(cluster), "utf8")))
  } catch {
    return null
  }
}

/** The world's processes, its init first; empty when there is no world. */
export const processes = (world: WorldState | null): ReadonlyArray<Seen> =>
  world === null ? [] : [...inNamespace(world.pidNamespace)].sort((a, b) => a.inner - b.inner)

/** Waits for a world without a starter to be gone; ends it after `patienceMs`. The kernel takes the rest of a world with its init. */
export const gone = Effect.fn("dev.worldGone")(function*(world: WorldState | null, patienceMs: number) {
  const wait = Effect.suspend(() => processes(world).length === 0 ? Effect.void : Effect.fail("alive" as const)).pipe(
    Effect.retry(Schedule.max([Schedule.spaced("20 millis"), Schedule.recurs(patienceMs / 20)]))
  )
  yield* wait.pipe(Effect.catch(() =>
    Effect.sync(() => {
      const init = processes(world).find((seen) => seen.inner === 1)
      if (init !== undefined) process.kill(init.pid, "SIGKILL")
    }).pipe(Effect.andThen(wait), Effect.ignore)
  ))
})
