/**
 * What this host keeps of each mesh it is in: the UDP port of its node, from the configured range and the same for the node's
 * life, and where the mesh's coordinator was when the last key was granted. Keys themselves are never stored.
 */
import { Context, Effect, Layer, Option, Schema, Semaphore } from "effect"
import { mkdir, readdir } from "node:fs/promises"
import { join } from "node:path"
import { NetworkId } from "../../domain/Ids.ts"
import type { JoinGrant } from "../../protocol/agent/ControlRpcs.ts"
import { Config } from "../Config.ts"
import { FileTrouble, readJson, remove, writeJson } from "../files.ts"

const MeshFile = Schema.Struct({ udpPort: Schema.Int, controlUrl: Schema.String, hostname: Schema.String })
export type MeshFile = typeof MeshFile.Type

export class MeshFiles extends Context.Service<MeshFiles, {
  readonly ids: () => ReadonlyArray<NetworkId>
  readonly get: (id: NetworkId) => MeshFile | undefined
  /** Keeps where the coordinator is; a new network gets a port. */
  readonly put: (id: NetworkId, grant: typeof JoinGrant.Type) => Effect.Effect<MeshFile, FileTrouble>
  readonly remove: (id: NetworkId) => Effect.Effect<void, FileTrouble>
}>()("gstacks/agent/MeshFiles") {
  static readonly layer = Layer.effect(MeshFiles, Effect.suspend(() => make()))
}

const make = Effect.fnUntraced(function*() {
  const { stateDir, udpPorts } = yield* Config
  const folder = join(stateDir, "mesh")
  const fileOf = (id: NetworkId) => join(folder, `${id}.json`)
  const known = new Map<NetworkId, MeshFile>()
  const oneAtATime = (yield* Semaphore.make(1)).withPermit

  yield* Effect.promise(() => mkdir(folder, { recursive: true, mode: 0o700 }))
  for (const id of (yield* Effect.promise(() => readdir(folder))).map((name) => name.replace(/\.json$/, "")).filter(Schema.is(NetworkId))) {
    const file = yield* readJson(fileOf(id), MeshFile).pipe(Effect.catch((error) => Effect.as(Effect.logWarning(error.message), Option.none())))
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
      yield* writeJson(fileOf(id), MeshFile, file)
      return file
    })),
    remove: (id) => oneAtATime(Effect.suspend(() => {
      known.delete(id)
      return remove(fileOf(id))
    }))
  })
})
