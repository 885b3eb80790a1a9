/**
 * Brings every committed version to the agents that take part: reads the topology once, wakes their sessions, and keeps an actor
 * per network that knows how far it is.
 */
import { Context, Effect, Layer, Option, PubSub, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { type Distribution, type NetworkRolloutEvent, networkRolloutMachine } from "../actors/machines/networkRollout.ts"
import { ActorSystem } from "../actors/runtime/ActorSystem.ts"
import * as Bridge from "../actors/runtime/bridge.ts"
import { machineChild } from "../actors/runtime/ChildSpec.ts"
import { NetworkId } from "../domain/Ids.ts"
import type { StoreUnavailable } from "../domain/Problems.ts"
import { rolloutsAddress } from "./actorAddresses.ts"
import { News } from "./News.ts"
import { Participants } from "./Participants.ts"
import { Sessions } from "./Sessions.ts"
import { Snapshots } from "./Snapshots.ts"
import { rows, stored } from "./Store.ts"
import { Tree } from "./Tree.ts"

const Unfinished = Schema.Struct({ id: NetworkId })

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const actors = yield* ActorSystem
  const news = yield* News
  const participants = yield* Participants
  const sessions = yield* Sessions
  const snapshots = yield* Snapshots
  yield* Tree

  /** Reads the newest version and hands it to the sessions of its participants. */
  const distribute = ({ networkId }: { readonly networkId: NetworkId }): Effect.Effect<Distribution, StoreUnavailable> => Effect.gen(function*() {
    const topology = Option.getOrUndefined(yield* snapshots.refresh(networkId))
    const present = new Set(topology?.agents.map((agent) => agent.id))
    yield* Effect.forEach(present, (agentId) => sessions.kick(agentId, networkId), { discard: true })
    const everyone = yield* participants.ofNetwork(networkId)
    const needed = (leftVersion: number | null) => leftVersion ?? topology?.version ?? 0
    const behind = everyone.filter((participant) => (participant.applied ?? 0) < needed(participant.leftVersion))
    // Those that left. The others are on their way already, while this was read.
    yield* Effect.forEach(behind, ({ agentId }) => present.has(agentId) ? Effect.void : sessions.kick(agentId, networkId), { discard: true })
    const version = topology?.version ?? Math.max(0, ...everyone.map((participant) => participant.leftVersion ?? 0))
    return { version, removed: topology === undefined, participants: everyone.length, behind: behind.map((participant) => participant.agentId) }
  })

  const bridge = yield* Bridge.make<never>()
  const machine = networkRolloutMachine.provide({ actors: { distribute: bridge.fromEffect(distribute) } })
  const child = (network: NetworkId) => `networkRollout/${network}`

  const send = (network: NetworkId, event: NetworkRolloutEvent) => actors.send(`${rolloutsAddress}/${child(network)}`, event)

  /** A new actor begins by distributing; a living one is told to do it again. */
  const wake = (networkId: NetworkId) => send(networkId, { type: "topology.committed" }).pipe(
    Effect.catchTag("AddressGone", () => Effect.flatMap(actors.supervisor(rolloutsAddress), (supervisor) => supervisor.startChild(
      machineChild({ id: child(networkId), logic: machine, input: { networkId }, restart: "temporary", shutdownMs: 2000, redact: ["version", "participants", "behind", "removed"] })
    ))),
    Effect.catch((problem) => Effect.logWarning(`The rollout of network ${networkId} did not hear of its new version.`, problem))
  )

  const wakeAll = stored(rows(Unfinished)(sql`select id from networks n where n.deleted_at is null or exists
    (select 1 from topology_acks t where t.network_id = n.id and t.left_version is not null and coalesce(t.applied, 0) < t.left_version)`)).pipe(
    Effect.flatMap((networks) => Effect.forEach(networks, ({ id }) => wake(id), { discard: true }))
  )

  const updates = yield* news.hear
  const follow = Effect.gen(function*() {
    const item = yield* PubSub.take(updates)
    switch (item._tag) {
      case "Missed": return yield* wakeAll
      case "Committed": return yield* wake(item.networkId)
      case "Acknowledged":
        return yield* Effect.ignore(send(item.networkId, { type: "topology.acknowledged", agentId: item.agentId, version: item.version }))
    }
  }).pipe(Effect.catchCause((cause) => Effect.logWarning("A rollout could not be started.", cause)), Effect.forever)

  yield* wakeAll
  yield* Effect.forkScoped(follow)
})

export class Rollouts extends Context.Service<Rollouts, void>()("gstacks/control/Rollouts") {
  static readonly layer = Layer.effect(Rollouts, make)
}
