/**
 * An agent for tests of the control plane: it enrols over HTTP, dials the real WebSocket and answers the real RPCs, but only
 * remembers what it is told. Single answers can be overridden to make it slow, broken or deaf.
 */
import * as NodeWS from "@effect/platform-node/NodeWS"
import { Deferred, Effect, Fiber, Layer, Option, Queue, type Schema, Stream, SubscriptionRef } from "effect"
import { RpcClient, type RpcMessage, RpcSerialization, RpcServer } from "effect/rpc"
import { Socket } from "effect/socket"
import type { HostFacts } from "../../src/domain/Agent.ts"
import type { NetworkId, SandboxId } from "../../src/domain/Ids.ts"
import type { SandboxSpec, SandboxStatus } from "../../src/domain/Sandbox.ts"
import { patch, type Topology } from "../../src/domain/Topology.ts"
import { AgentRpcs, SnapshotNeeded, UnknownSandbox } from "../../src/protocol/agent/AgentRpcs.ts"
import { ControlRpcs } from "../../src/protocol/agent/ControlRpcs.ts"
import { FakeSight, sightHandlersOf } from "./fakeSight.ts"

const facts: HostFacts = { version: "test", meshdVersion: null, transport: "unknown", localSocket: "/run/agent.sock", startedAt: "2026-01-01T00:00:00.000Z", topologyMaxAgeMs: 60_000 }

export type FakeAgentHandlers = Parameters<typeof AgentRpcs.of>[0]

export interface FakeAgentOptions {
  readonly url: string
  readonly credential: string
  readonly overrides?: Partial<FakeAgentHandlers>
  /** Topologies that it has from an earlier life. */
  readonly topologies?: ReadonlyMap<NetworkId, Topology>
  readonly sandboxes?: ReadonlyArray<SandboxStatus>
}

/** What the agent has been told so far. */
export class FakeAgentState {
  readonly topologies = new Map<NetworkId, Topology>()
  readonly sandboxes = new Map<SandboxId, { readonly status: SandboxStatus; readonly spec: SandboxSpec }>()
  readonly updates: Array<"Snapshot" | "Delta" | "Drop"> = []
  readonly sight = new FakeSight()
}

export const fakeAgent = Effect.fn("fakeAgent")(function*(options: FakeAgentOptions) {
  const state = new FakeAgentState()
  options.topologies?.forEach((topology, id) => state.topologies.set(id, topology))
  const changes = yield* SubscriptionRef.make(0)
  const changed = SubscriptionRef.update(changes, (n) => n + 1)

  const handlers: FakeAgentHandlers = {
    ...sightHandlersOf(state.sight),
    Flows: () => Effect.succeed({ flows: [], refusals: [], lost: 0 }),
    FlowGroups: () => Effect.succeed({ groups: [], refusals: [], left: { flows: 0, refusals: 0 }, lost: 0 }),
    AliasMetrics: () => Effect.succeed([]),
    ApplyTopology: ({ update }) => Effect.gen(function*() {
      state.updates.push(update._tag)
      const networkId = update._tag === "Snapshot" ? update.topology.networkId : update.delta.networkId
      const before = state.topologies.get(networkId)
      const after = update._tag === "Snapshot" ? update.topology : before === undefined ? undefined : Option.getOrUndefined(patch(before, update.delta))
      if (after === undefined) return yield* new SnapshotNeeded({ networkId, have: before?.version ?? null })
      state.topologies.set(networkId, after)
      yield* changed
      return { networkId, version: after.version, micros: 1 }
    }),
    DropNetwork: ({ networkId }) => Effect.andThen(Effect.sync(() => { state.updates.push("Drop"); state.topologies.delete(networkId) }), changed),
    Inventory: () => Effect.sync(() => [...state.topologies.values()].map(({ networkId, version }) => ({ networkId, version, joined: false }))),
    StartSandbox: ({ id, spec }) => Effect.gen(function*() {
      const status: SandboxStatus = { id, state: "running", exitCode: null, reason: null }
      state.sandboxes.set(id, { status, spec })
      yield* changed
      return status
    }),
    StopSandbox: ({ id }) => Effect.gen(function*() {
      const known = state.sandboxes.get(id)
      if (known === undefined) return yield* new UnknownSandbox({ id })
      const status: SandboxStatus = { id, state: "stopped", exitCode: 143, reason: null }
      state.sandboxes.set(id, { ...known, status })
      yield* changed
      return status
    }),
    RemoveSandbox: ({ id }) => Effect.andThen(Effect.sync(() => { state.sandboxes.delete(id) }), changed),
    SandboxLogs: ({ id }) => state.sandboxes.has(id) ? Effect.succeed({ text: "hello\n", truncated: false }) : Effect.fail(new UnknownSandbox({ id })),
    RunCheck: ({ check, role }) => Effect.succeed({ check, outcome: "pass", agent: null, reason: `${role} is fine`, next: null, micros: 1 }),
    Trace: () => Effect.succeed([]),
    ...options.overrides
  }

  const socket = RpcClient.layerProtocolSocket({ pingInterval: "30 seconds" }).pipe(
    Layer.provide(RpcSerialization.layerJson),
    Layer.provide(Socket.layerWebSocket(`${options.url.replace(/^http/, "ws")}/api/v1/agent`, { headers: { authorization: `Bearer ${options.credential}` } })),
    Layer.provide(NodeWS.layerWebSocketConstructor)
  )
  const control = yield* RpcClient.make(ControlRpcs).pipe(Effect.provideContext(yield* Layer.build(socket)))
  const attached = yield* Deferred.make<void>()
  let receive: (message: RpcMessage.FromClientEncoded) => Effect.Effect<void> = () => Effect.void
  const disconnects = yield* Queue.make<number>()
  const protocol = yield* RpcServer.Protocol.make((write) => {
    receive = (message) => write(0, message)
    return Effect.succeed({
      disconnects, clientIds: Effect.succeed(new Set([0])), initialMessage: Effect.succeedNone, end: () => Effect.void,
      send: (_id: number, message: RpcMessage.FromServerEncoded) => Effect.ignore(control.Reply({ message: message as unknown as Schema.Json })),
      supportsAck: true, supportsTransferables: false, supportsSpanPropagation: true, supportsNotifications: false, codecFor: RpcSerialization.json.codecFor
    })
  })
  yield* RpcServer.make(AgentRpcs).pipe(
    Effect.provideService(RpcServer.Protocol, protocol), Effect.provide(AgentRpcs.toLayer(handlers)), Effect.forkScoped
  )
  const session = yield* control.Attach({ facts, sandboxes: options.sandboxes ?? [] }).pipe(
    Stream.runForEach((message) => Effect.andThen(Deferred.succeed(attached, undefined), receive(message as unknown as RpcMessage.FromClientEncoded))),
    Effect.forkScoped
  )
  yield* Effect.raceFirst(Deferred.await(attached), Fiber.join(session))

  return {
    state, control,
    /** How the session ends: success when the control plane ends it. */
    ended: Fiber.await(session),
    disconnect: Fiber.interrupt(session),
    /** Until what the agent knows satisfies the predicate. */
    until: (predicate: (state: FakeAgentState) => boolean) => SubscriptionRef.changes(changes).pipe(
      Stream.filter(() => predicate(state)), Stream.runHead, Effect.timeout("10 seconds"), Effect.orDie, Effect.asVoid)
  }
})
