/**
 * The networks this agent takes part in: one supervisor each, with its topology and its mesh membership below. A topology
 * counts as applied when it is on disk and meshd has confirmed it, which is what the control plane's receipts rest on.
 */
import { Clock, Context, Effect, Fiber, Layer, Semaphore } from "effect"
import { networkJoinMachine } from "../actors/machines/networkJoin.ts"
import { topologyMachine, type TopologyNotInForce } from "../actors/machines/topology.ts"
import { ActorSystem } from "../actors/runtime/ActorSystem.ts"
import * as Bridge from "../actors/runtime/bridge.ts"
import { type ChildSpec, machineChild, supervisorChild } from "../actors/runtime/ChildSpec.ts"
import type { NetworkId } from "../domain/Ids.ts"
import { NotApplied, type SnapshotNeeded, type TopologyUpdate } from "../protocol/agent/AgentRpcs.ts"
import * as Address from "./addresses.ts"
import { DataPlane } from "./dataplane/DataPlane.ts"
import { Freshness } from "./Freshness.ts"
import { Knowledge } from "./Knowledge.ts"
import { Membership } from "./mesh/Membership.ts"
import { Topologies } from "./Topologies.ts"

export interface Acknowledgement { readonly networkId: NetworkId; readonly version: number; readonly micros: number }

export class Networks extends Context.Service<Networks, {
  /** Answers when it is on disk and in force, or after 5 s says why it is not. */
  readonly receive: (update: TopologyUpdate) => Effect.Effect<Acknowledgement, SnapshotNeeded | NotApplied>
  /** Withdraws what the network granted at once; its mesh is left after a minute. */
  readonly drop: (id: NetworkId) => Effect.Effect<void>
  readonly inventory: Effect.Effect<ReadonlyArray<{ readonly networkId: NetworkId; readonly version: number; readonly joined: boolean }>>
  /** The networks known from disk, for the tree's start. */
  readonly children: () => ReadonlyArray<ChildSpec>
}>()("gstacks/agent/Networks") {
  static readonly layer = Layer.effect(Networks, Effect.suspend(() => make()))
}

const applyTimeoutMs = 5000
const received = (version: number) => ({ type: "topology.received", version }) as const

const make = Effect.fnUntraced(function*() {
  const actors = yield* ActorSystem
  const knowledge = yield* Knowledge
  const topologies = yield* Topologies
  const dataPlane = yield* DataPlane
  const specs = yield* networkSpecs()
  const scope = yield* Effect.scope
  const oneAtATime = (yield* Semaphore.make(1)).withPermit
  yield* Effect.forkScoped((yield* Membership).leaveForgotten)

  /** Makes sure that the network's actors are there, and tells the topology's of the version. */
  const announce = (id: NetworkId, version: number) => oneAtATime(Effect.gen(function*() {
    const supervisor = yield* actors.supervisor(Address.networks)
    yield* supervisor.startChild(specs.network(id, version)).pipe(Effect.catchTag("AlreadyStarted", () => Effect.gen(function*() {
      const network = yield* actors.supervisor(Address.network(id))
      yield* network.startChild(specs.topology(id, version)).pipe(
        Effect.catchTag("AlreadyStarted", () => actors.send(Address.topology(id), received(version))))
    })))
  }).pipe(Effect.catch((error) => Effect.logDebug(`network ${id}: ${error._tag}; its actors catch up when they are back`))))

  /** Ends the network's actors once its mesh is left, unless it has come back by then. */
  const reap = (id: NetworkId) => Effect.gen(function*() {
    yield* actors.waitFor(Address.join(id), "left")
    yield* oneAtATime(Effect.gen(function*() {
      if (knowledge.topologies.has(id)) return
      yield* (yield* actors.supervisor(Address.networks)).stopChild(id)
    }))
  }).pipe(Effect.ignore)

  return Networks.of({
    receive: (update) => Effect.gen(function*() {
      const started = yield* Clock.currentTimeNanos
      const { topology, persisted } = yield* topologies.receive(update)
      const id = topology.networkId
      const notApplied = (reason: string) => new NotApplied({ networkId: id, version: topology.version, reason })
      const written = yield* Effect.forkChild(persisted)
      const applied = yield* Effect.forkChild(versionInForce(dataPlane, id))
      yield* announce(id, topology.version)
      yield* Fiber.join(written).pipe(Effect.mapError((error) => notApplied(error.message)))
      const version = yield* Fiber.join(applied).pipe(Effect.mapError((error) => notApplied(error.reason)))
      return { networkId: id, version, micros: Number((yield* Clock.currentTimeNanos) - started) / 1000 }
    }),
    drop: (id) => Effect.gen(function*() {
      yield* topologies.drop(id).pipe(Effect.catch((error) => Effect.logWarning(error.message)))
      yield* Effect.ignore(versionInForce(dataPlane, id))
      yield* actors.supervisor(Address.network(id)).pipe(Effect.flatMap((network) => network.stopChild("topology")), Effect.ignore)
      yield* Effect.forkIn(reap(id), scope)
    }),
    inventory: Effect.suspend(() => Effect.forEach(knowledge.topologies.values(), ({ networkId, version }) => Effect.map(dataPlane.node(networkId), (node) =>
      ({ networkId, version, joined: node?.state === "ready" })))),
    children: () => [...knowledge.topologies.values()].map((topology) => specs.network(topology.networkId, topology.version))
  })
})

/** Brings what is known into force; answers the network's version then, 0 when it is not there any more. */
const versionInForce = (dataPlane: DataPlane["Service"], id: NetworkId): Effect.Effect<number, TopologyNotInForce> => dataPlane.enforce.pipe(
  Effect.map(({ plan }) => plan.networks.find((network) => network.id === id)?.topologyVersion ?? 0),
  Effect.timeoutOrElse({ duration: applyTimeoutMs, orElse: () => Effect.flatMap(dataPlane.problem, (reason) => Effect.fail({ reason: reason ?? "meshd has not confirmed it yet" })) }))

/** The machines of a network, with what they do. */
const networkSpecs = Effect.fnUntraced(function*() {
  const bridge = yield* Bridge.make<never>()
  const dataPlane = yield* DataPlane
  const freshness = yield* Freshness
  const membership = yield* Membership
  type Named = { readonly networkId: NetworkId }
  const apply = ({ networkId }: Named) => versionInForce(dataPlane, networkId)

  const topology = topologyMachine.provide({ actors: {
    apply: bridge.fromEffect(apply),
    freeze: bridge.fromEffect(apply),
    outOfTouch: bridge.fromEffect(() => freshness.untilStale),
    inTouch: bridge.fromEffect(() => freshness.untilFresh)
  } })
  const join = networkJoinMachine.provide({ actors: {
    membersPresent: bridge.fromEffect(({ networkId }: Named) => membership.membersPresent(networkId)),
    join: bridge.fromEffect(({ networkId, grant }: Named & { readonly grant: Parameters<typeof membership.join>[1] }) => membership.join(networkId, grant)),
    requestKey: bridge.fromEffect(({ networkId }: Named) => membership.requestKey(networkId)),
    report: bridge.fromEffect(({ networkId }: Named) => membership.report(networkId)),
    leave: bridge.fromEffect(({ networkId }: Named) => membership.leave(networkId)),
    watch: bridge.fromStream(({ networkId }: Named) => membership.watch(networkId), () => ({ type: "meshd.lost" } as const))
  } })
  const topologySpec = (networkId: NetworkId, version: number) => machineChild({
    id: "topology", logic: topology, input: { networkId, version }, restart: "permanent", shutdownMs: 1000, redact: ["received", "applied", "attempt", "lastError"]
  })
  const joinSpec = (networkId: NetworkId) => machineChild({
    id: "join", logic: join, input: { networkId }, restart: "permanent", shutdownMs: 1000, redact: ["node", "attempt", "lastError"]
  })
  return {
    topology: topologySpec,
    network: (id: NetworkId, version: number): ChildSpec => supervisorChild({
      id, strategy: "restForOne", intensity: { restarts: 5, withinMs: 10_000 }, backoff: { initialMs: 100, maxMs: 5000 },
      restart: "permanent", shutdownMs: 5000, children: [topologySpec(id, version), joinSpec(id)]
    })
  }
})
