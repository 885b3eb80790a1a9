/**
 * The topologies this agent was given, one file per network, so that it goes on deciding when it restarts without a control
 * plane. A file that cannot be read is as good as none: the control plane sends the whole again.
 */
import { Context, Effect, Layer, Option, Semaphore } from "effect"
import { join } from "node:path"
import { NetworkId } from "../domain/Ids.ts"
import { patch, type Topology, type TopologyDelta } from "../domain/Topology.ts"
import { SnapshotNeeded, type TopologyUpdate } from "../protocol/agent/AgentRpcs.ts"
import { Config } from "./Config.ts"
import { type FileTrouble, idsIn, orDropped } from "./files.ts"
import { Knowledge } from "./Knowledge.ts"
import { topologyFile } from "./Topologies/TopologyFile.ts"

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
  const files = new Map((yield* idsIn(folder, NetworkId)).map((id) => [id, open(folder, id)]))
  const fileOf = (id: NetworkId) => {
    const file = files.get(id) ?? open(folder, id)
    files.set(id, file)
    return file
  }
  /** Writes what is known by then, so that the file never goes back to an older version. */
  const persist = (id: NetworkId, delta?: TopologyDelta) => Effect.suspend(() => {
    const { file, oneAtATime } = fileOf(id)
    return oneAtATime(Effect.suspend(() => {
      const topology = knowledge.topologies.get(id)
      return topology === undefined ? file.remove : file.save(topology, delta)
    }))
  })

  for (const { file } of files.values()) {
    const topology = yield* orDropped(file.load)
    if (Option.isSome(topology)) knowledge.putTopology(topology.value)
  }

  return Topologies.of({
    receive: (update) => Effect.gen(function*() {
      if (update._tag === "Snapshot") {
        knowledge.putTopology(update.topology)
        return { topology: update.topology, persisted: persist(update.topology.networkId) }
      }
      const topology = yield* patched(knowledge.topologies.get(update.delta.networkId), update.delta)
      knowledge.putTopology(topology)
      return { topology, persisted: persist(topology.networkId, update.delta) }
    }),
    drop: (id) => Effect.suspend(() => {
      knowledge.dropTopology(id)
      return persist(id)
    })
  })
})

const open = (folder: string, id: NetworkId) => ({ file: topologyFile(join(folder, `${id}.json`)), oneAtATime: Semaphore.makeUnsafe(1).withPermit })

const patched = (known: Topology | undefined, delta: TopologyDelta): Effect.Effect<Topology, SnapshotNeeded> =>
  Option.match(known === undefined ? Option.none() : patch(known, delta), {
    onNone: () => Effect.fail(new SnapshotNeeded({ networkId: delta.networkId, have: known?.version ?? null })),
    onSome: Effect.succeed
  })
