/**
 * The topologies this agent was given, one file per network, so that it goes on deciding when it restarts without a control
 * plane. A file that cannot be read is as good as none: the control plane sends the whole again.
 */
import { Context, Effect, Layer, Option, Schema, Semaphore } from "effect"
import { mkdir, readdir } from "node:fs/promises"
import { join } from "node:path"
import { NetworkId } from "../domain/Ids.ts"
import { patch, Topology } from "../domain/Topology.ts"
import { SnapshotNeeded, type TopologyUpdate } from "../protocol/agent/AgentRpcs.ts"
import { Config } from "./Config.ts"
import { type FileTrouble, readJson, remove, writeJson } from "./files.ts"
import { Knowledge } from "./Knowledge.ts"

export interface Received {
  readonly topology: Topology
  /** Ends when it is on disk. */
  readonly persisted: Effect.Effect<void, FileTrouble>
}

export class Topologies extends Context.Service<Topologies, {
  readonly receive: (update: TopologyUpdate) => Effect.Effect<Received, SnapshotNeeded>
  readonly drop: (id: NetworkId) => Effect.Effect<void, FileTrouble>
}>()("gstacks/agent/Topologies") {
  /** Fills the agent's knowledge from disk. */
  static readonly layer = Layer.effect(Topologies, Effect.suspend(() => make()))
}

const make = Effect.fnUntraced(function*() {
  const knowledge = yield* Knowledge
  const folder = join((yield* Config).stateDir, "topologies")
  const fileOf = (id: NetworkId) => join(folder, `${id}.json`)
  const writing = new Map<NetworkId, Semaphore.Semaphore>()
  const oneAtATime = (id: NetworkId) => {
    const semaphore = writing.get(id) ?? Semaphore.makeUnsafe(1)
    writing.set(id, semaphore)
    return semaphore.withPermit
  }
  /**
   * Writes what is known by then, so that the file never goes back to an older version. Where it cannot be written (a full
   * disk) the older one goes: after a restart it would grant what has been revoked.
   */
  const persist = (id: NetworkId) => oneAtATime(id)(Effect.suspend(() => {
    const topology = knowledge.topologies.get(id)
    return topology === undefined ? remove(fileOf(id)) : writeJson(fileOf(id), Topology, topology).pipe(Effect.tapError(() => Effect.ignore(remove(fileOf(id)))))
  }))

  for (const topology of yield* load(folder)) knowledge.putTopology(topology)

  return Topologies.of({
    receive: (update) => Effect.gen(function*() {
      const topology = update._tag === "Snapshot" ? update.topology : yield* patched(knowledge.topologies.get(update.delta.networkId), update.delta)
      knowledge.putTopology(topology)
      return { topology, persisted: persist(topology.networkId) }
    }),
    drop: (id) => Effect.suspend(() => {
      knowledge.dropTopology(id)
      return persist(id)
    })
  })
})

const patched = (known: Topology | undefined, delta: Extract<TopologyUpdate, { _tag: "Delta" }>["delta"]): Effect.Effect<Topology, SnapshotNeeded> =>
  Option.match(known === undefined ? Option.none() : patch(known, delta), {
    onNone: () => Effect.fail(new SnapshotNeeded({ networkId: delta.networkId, have: known?.version ?? null })),
    onSome: Effect.succeed
  })

const load = Effect.fnUntraced(function*(folder: string) {
  yield* Effect.promise(() => mkdir(folder, { recursive: true, mode: 0o700 }))
  const ids = (yield* Effect.promise(() => readdir(folder))).map((name) => name.replace(/\.json$/, "")).filter(Schema.is(NetworkId))
  const topologies = yield* Effect.forEach(ids, (id) => readJson(join(folder, `${id}.json`), Topology).pipe(
    Effect.catch((error) => Effect.as(Effect.logWarning(`${error.message}; the control plane will send it again`), Option.none()))))
  return topologies.flatMap(Option.toArray)
})
