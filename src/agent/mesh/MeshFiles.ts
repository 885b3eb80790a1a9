/**
 * What this host keeps of each mesh it is in: the UDP port of its node, from the configured range and the same for the node's
 * life, and where the mesh's coordinator was when the last key was granted. Keys themselves are never stored.
 */
import { Context, Effect, Layer, Option, Semaphore } from "effect"
import { join } from "node:path"
import { type MeshPlace, placeState } from "../../actors/machines/networkJoin.ts"
import { NetworkId } from "../../domain/Ids.ts"
import type { JoinGrant } from "../../protocol/agent/ControlRpcs.ts"
import { Config } from "../Config.ts"
import { FileTrouble, idsIn, load, orDropped, remove, store } from "../files.ts"

export class MeshFiles extends Context.Service<MeshFiles, {
  readonly ids: () => ReadonlyArray<NetworkId>
  readonly get: (id: NetworkId) => MeshPlace | undefined
  /** Keeps where the coordinator is; a new network gets a port. */
  readonly put: (id: NetworkId, grant: typeof JoinGrant.Type) => Effect.Effect<MeshPlace, FileTrouble>
  readonly remove: (id: NetworkId) => Effect.Effect<void, FileTrouble>
}>()("gstacks/agent/MeshFiles") {
  static readonly layer = Layer.effect(MeshFiles, Effect.suspend(() => make()))
}

const make = Effect.fnUntraced(function*() {
  const { stateDir, udpPorts } = yield* Config
  const folder = join(stateDir, "mesh")
  const fileOf = (id: NetworkId) => join(folder, `${id}.json`)
  const known = new Map<NetworkId, MeshPlace>()
  const oneAtATime = (yield* Semaphore.make(1)).withPermit

  for (const id of yield* idsIn(folder, NetworkId)) {
    const file = yield* orDropped(load(fileOf(id), placeState))
    if (Option.isSome(file)) known.set(id, file.value)
  }

  const freePort = (): number | undefined => {
    const taken = new Set([...known.values()].map((file) => file.udpPort))
    for (let port = udpPorts.first; port <= udpPorts.last; port++) if (!taken.has(port)) return port
    return undefined
  }

  return MeshFiles.of({
    ids: () => [...known.keys()],
    get: (id) => known.get(id),
    put: (id, { controlUrl, hostname }) => oneAtATime(Effect.gen(function*() {
      const udpPort = known.get(id)?.udpPort ?? freePort()
      if (udpPort === undefined) {
        return yield* new FileTrouble({ path: fileOf(id), message: `all UDP ports from ${udpPorts.first} to ${udpPorts.last} are taken by meshes; widen GLOBALSTACKS_MESH_UDP_PORTS` })
      }
      const file = { udpPort, controlUrl, hostname }
      known.set(id, file)
      yield* store(fileOf(id), placeState, file)
      return file
    })),
    remove: (id) => oneAtATime(Effect.suspend(() => {
      known.delete(id)
      return remove(fileOf(id))
    }))
  })
})
