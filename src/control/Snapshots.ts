/**
 * The newest topology of each network, and some that came before, so that an agent which is a little behind gets a delta. A
 * network's newest is replaced only by a newer one.
 */
import { Context, Effect, Layer, Option } from "effect"
import type { NetworkId } from "../domain/Ids.ts"
import type { StoreUnavailable } from "../domain/Problems.ts"
import { diff, type Topology, type TopologyDelta } from "../domain/Topology.ts"
import type { TopologyUpdate } from "../protocol/agent/AgentRpcs.ts"
import { Topologies } from "./Topologies.ts"

const keptVersions = 16

const make = Effect.gen(function*() {
  const topologies = yield* Topologies
  const kept = new Map<NetworkId, ReadonlyArray<Topology>>()
  let removals = 0

  /** Reads the newest from the database. `None`: the network is gone. */
  const refresh = (network: NetworkId): Effect.Effect<Option.Option<Topology>, StoreUnavailable> => Effect.suspend(() => {
    const removalsBefore = removals
    return Effect.map(topologies.load(network), (loaded) => keep(network, loaded, removals === removalsBefore))
  })

  /** The first that is read of a network is not kept when some network was found gone meanwhile: it may be that one, as it was before. */
  const keep = (network: NetworkId, loaded: Option.Option<Topology>, isKnownToBeThere: boolean): Option.Option<Topology> => {
    if (Option.isNone(loaded)) {
      removals++
      kept.delete(network)
      deltas.delete(network)
      return loaded
    }
    const versions = kept.get(network) ?? []
    const newest = versions.at(-1)
    if (newest !== undefined && newest.version >= loaded.value.version) return Option.some(newest)
    if (isKnownToBeThere || newest !== undefined) kept.set(network, [...versions.slice(1 - keptVersions), loaded.value])
    return loaded
  }

  /** Nearly all agents of a network need the same one at the same time. */
  const deltas = new Map<NetworkId, TopologyDelta>()
  const delta = (before: Topology, after: Topology): TopologyDelta => {
    const known = deltas.get(after.networkId)
    if (known?.base === before.version && known.version === after.version) return known
    const made = diff(before, after)
    deltas.set(after.networkId, made)
    return made
  }

  return {
    refresh,
    latest: (network: NetworkId) => {
      const newest = kept.get(network)?.at(-1)
      return newest === undefined ? refresh(network) : Effect.succeed(Option.some(newest))
    },
    /** What takes an agent that has `base` to `topology`. */
    update: (topology: Topology, base: number | null): TopologyUpdate => {
      const before = kept.get(topology.networkId)?.find((version) => version.version === base)
      return before === undefined ? { _tag: "Snapshot", topology } : { _tag: "Delta", delta: delta(before, topology) }
    }
  }
})

export class Snapshots extends Context.Service<Snapshots, Effect.Success<typeof make>>()("gstacks/control/Snapshots") {
  static readonly layer = Layer.effect(Snapshots, make)
}
