/**
 * The networks this agent takes part in: one supervisor each, with its topology and its mesh membership below. A topology
 * counts as applied when it is on disk and meshd has confirmed it, which is what the control plane's receipts rest on.
 */
import { Context, Effect, Fiber, Layer, Semaphore } from "effect"
import { networkJoinMachine } from "../actors/machines/networkJoin.ts"
import { topologyMachine, type TopologyNotInForce } from "../actors/machines/topology.ts"
import { ActorSystem } from "../actors/runtime/ActorSystem.ts"
import * as Bridge from "../actors/runtime/bridge.ts"
import { type ChildSpec, machineChild, supervisorChild } from "../actors/runtime/ChildSpec.ts"
import type { NetworkId } from "../domain/Ids.ts"
import { monotonicNanos } from "../domain/monotonic.ts"
import { type Enforced, NotApplied, type SnapshotNeeded, type TopologyUpdate } from "../protocol/agent/AgentRpcs.ts"
import * as Address from "./addresses.ts"
import type { Asked } from "./dataplane/ClosedStreams.ts"
import { DataPlane } from "./dataplane/DataPlane.ts"
import { Freshness } from "./Freshness.ts"
import { Knowledge } from "./Knowledge.ts"
import { Membership } from "./mesh/Membership.ts"
import { Topologies } from "./Topologies.ts"

export interface Acknowledgement extends Enforced { readonly networkId: NetworkId; readonly version: number }

export class Networks extends Context.Service<Networks, {
  /** Answers when it is on disk and in force, or after 5 s says why it is not. `acknowledged`: the version whose answer the control plane has stored. */
  readonly receive: (update: TopologyUpdate, acknowledged?: number) => Effect.Effect<Acknowledgement, SnapshotNeeded | NotApplied>
  /** Withdraws what the network granted at once; its mesh is left after a minute. */
  readonly drop: (id: NetworkId, acknowledged?: number) => Effect.Effect<Enforced>
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
  const membership = yield* Membership
  yield* Effect.forkScoped(membership.leaveForgotten)

  /** Tells the topology's actor of the version; starts the network's actors when they are not there. */
  const announce = (id: NetworkId, version: number) => oneAtATime(Effect.gen(function*() {
    const told = actors.send(Address.topology(id), received(version))
    const topologyStarted = Effect.flatMap(actors.supervisor(Address.network(id)), (network) => network.startChild(specs.topology(id, version)))
    const networkStarted = Effect.flatMap(actors.supervisor(Address.networks), (networks) => networks.startChild(specs.network(id, version)))
    yield* told.pipe(
      Effect.catchTag("AddressGone", () => networkStarted),
      Effect.catchTag("AlreadyStarted", () => topologyStarted),
      Effect.catchTag("AlreadyStarted", () => told))
  }).pipe(Effect.catch((error) => Effect.logDebug(`network ${id}: ${error._tag}; its actors catch up when they are back`))))

  /** Ends the network's actors once its mesh is left, unless it has come back by then. A join that crashed has not left, whatever it says, nor has one that went with its supervisor. */
  const reap = (id: NetworkId) => Effect.gen(function*() {
    yield* Effect.ignore(actors.waitFor(Address.join(id), "left"))
    yield* oneAtATime(Effect.gen(function*() {
      if (knowledge.topologies.has(id)) return
      yield* actors.supervisor(Address.networks).pipe(Effect.flatMap((networks) => networks.stopChild(id)), Effect.ignore)
      yield* membership.leaveIfForgotten(id)
    }))
  }).pipe(Effect.ignore)

  /** What has come of a message that was received at `started`. */
  const enforced = Effect.fnUntraced(function*(id: NetworkId, asked: Asked, acknowledged: number | undefined, started: bigint): Effect.fn.Return<Enforced> {
    const closed = yield* dataPlane.tellClosed(id, asked, acknowledged)
    const micros = Number((yield* monotonicNanos) - started) / 1000
    if (closed === undefined) return { micros }
    const { asSource, asTarget, lastAt } = closed
    return { micros, closed: { asSource, asTarget, lastMs: Math.max(0, Number(lastAt - started)) / 1e6 } } // before it: of a permit that expired, or told again
  })

  return Networks.of({
    receive: (update, acknowledged) => Effect.gen(function*() {
      const started = yield* monotonicNanos
      const { topology, persisted } = yield* topologies.receive(update)
      const id = topology.networkId
      const notApplied = (reason: string) => new NotApplied({ networkId: id, version: topology.version, reason })
      const written = yield* Effect.forkChild(persisted)
      const applied = yield* Effect.forkChild(versionInForce(dataPlane, id))
      yield* announce(id, topology.version)
      yield* Fiber.join(written).pipe(Effect.mapError((error) => notApplied(error.message)))
      const version = yield* Fiber.join(applied).pipe(Effect.mapError((error) => notApplied(error.reason)))
      return { networkId: id, version, ...yield* enforced(id, version, acknowledged, started) }
    }),
    drop: (id, acknowledged) => Effect.gen(function*() {
      const started = yield* monotonicNanos
      yield* topologies.drop(id).pipe(Effect.catch((error) => Effect.logWarning(error.message)))
      yield* Effect.ignore(versionInForce(dataPlane, id))
      const answer = yield* enforced(id, "drop", acknowledged, started)
      yield* actors.supervisor(Address.network(id)).pipe(Effect.flatMap((network) => network.stopChild("topology")), Effect.ignore)
      yield* Effect.forkIn(reap(id), scope)
      return answer
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
