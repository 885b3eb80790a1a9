/**
 * The agent: its services, and the supervision tree that keeps them going. What is on disk is known before the tree starts,
 * so that the first plan meshd gets is the whole one and open streams live on through a restart of the agent.
 */
import { Cause, Effect, Layer, Random, Stream } from "effect"
import { agentLinkMachine, type LinkEvent } from "../actors/machines/agentLink.ts"
import { dataPlaneMachine, type DataPlaneMachineEvent } from "../actors/machines/dataPlane.ts"
import { type DnsListenerEvent, dnsListenerMachine } from "../actors/machines/dnsListener.ts"
import { ActorSystem } from "../actors/runtime/ActorSystem.ts"
import * as Bridge from "../actors/runtime/bridge.ts"
import { machineChild, supervisorChild } from "../actors/runtime/ChildSpec.ts"
import * as Supervisor from "../actors/runtime/Supervisor.ts"
import { Sight } from "../actors/sight/Sight.ts"
import * as Address from "./addresses.ts"
import { AliasListeners } from "./AliasListeners.ts"
import { Control } from "./Control.ts"
import { Credential } from "./Credential.ts"
import { DataPlane, type DataPlaneEvent } from "./dataplane/DataPlane.ts"
import type { MeshdFailure } from "./dataplane/MeshdClient.ts"
import { Diagnostics } from "./Diagnostics.ts"
import { type CannotListen, HostListener } from "./dns/HostListener.ts"
import { Flows } from "./Flows.ts"
import { Freshness } from "./Freshness.ts"
import { Host } from "./Host.ts"
import { Inspector } from "./inspector/Inspector.ts"
import { Knowledge } from "./Knowledge.ts"
import { Link } from "./Link.ts"
import * as LocalApi from "./LocalApi.ts"
import { Membership } from "./mesh/Membership.ts"
import { MeshFiles } from "./mesh/MeshFiles.ts"
import { Networks } from "./Networks.ts"
import { Exec } from "./sandboxes/Exec.ts"
import { SandboxDriver } from "./sandboxes/SandboxDriver.ts"
import { Sandboxes } from "./Sandboxes.ts"
import { Topologies } from "./Topologies.ts"
import { webSockets } from "./webSocket.ts"

/** A few thousand entries of history: enough to see how something came about. */
const journalBytes = 1024 * 1024

/** Everything but the settings, over a given driver of sandboxes. */
export const servicesWith = <E, R>(driver: Layer.Layer<SandboxDriver, E, R>) => Layer.mergeAll(LocalApi.layer, Layer.provide(Link.layer, webSockets), HostListener.layer, AliasListeners.layer).pipe(
  Layer.provideMerge(Layer.mergeAll(Diagnostics.layer, Flows.layer, Networks.layer, Host.layer, Exec.layer, Inspector.layer)),
  Layer.provideMerge(Layer.mergeAll(Membership.layer, Sandboxes.layer)),
  Layer.provideMerge(Layer.mergeAll(MeshFiles.layer, driver)),
  Layer.provideMerge(Layer.mergeAll(DataPlane.layer, Sight.layer)),
  Layer.provideMerge(Layer.mergeAll(Topologies.layer, Freshness.layer, Credential.layer, Control.layer, ActorSystem.layerWith({ journalBytes }))),
  Layer.provideMerge(Knowledge.layer)
)
export const services = servicesWith(SandboxDriver.layer)

/** Starts the tree; it stops with the scope. Sandboxes and meshd stay as they are. */
export const start = Effect.gen(function*() {
  const sandboxes = yield* Sandboxes
  const networks = yield* Networks
  const aliases = yield* AliasListeners
  const flows = yield* Flows
  const { dataPlane, dns, link } = yield* machines
  const spread = yield* Random.next

  const tree = yield* Supervisor.start({
    address: Address.root, strategy: "oneForOne", intensity: { restarts: 5, withinMs: 30_000 },
    children: [
      machineChild({ id: "dataplane", logic: dataPlane, restart: "permanent", shutdownMs: 2000, redact: ["attempt", "generation", "pid", "lastError"] }),
      supervisorChild({ id: "networks", strategy: "oneForOne", intensity: neverGivesUp, backoff, restart: "permanent", shutdownMs: 5000, children: networks.children() }),
      supervisorChild({ id: "sandboxes", strategy: "oneForOne", intensity: neverGivesUp, backoff, restart: "permanent", shutdownMs: 5000, children: sandboxes.children() }),
      machineChild({ id: "dns", logic: dns, restart: "permanent", shutdownMs: 1000, redact: ["attempt", "address", "lastError"] }),
      machineChild({ id: "link", logic: link, input: { spread }, restart: "permanent", shutdownMs: 2000, redact: ["attempt", "lastError"] })
    ]
  })
  yield* Effect.forkScoped(sandboxes.report)
  yield* Effect.forkScoped(aliases.follow)
  yield* Effect.forkScoped(flows.follow)
  return tree
})

const neverGivesUp = { restarts: Infinity, withinMs: 10_000 }
const backoff = { initialMs: 100, maxMs: 10_000 }

const machines = Effect.gen(function*() {
  const bridge = yield* Bridge.make<never>()
  const credential = yield* Credential
  const dataPlane = yield* DataPlane
  const host = yield* HostListener
  const session = yield* Link
  const lost = (error: unknown): string => error instanceof Error ? error.message : String(error)
  return {
    link: agentLinkMachine.provide({ actors: {
      credential: bridge.fromEffect(() => credential.ensure.pipe(Effect.asVoid, Effect.tapError(({ reason }) => Effect.logWarning(reason)))),
      session: bridge.fromStream((_: {}) => session.session.pipe(Stream.tap(logLink)), (cause) => ({ type: "session.lost", reason: lost(Cause.squash(cause)), refused: false } as const))
    } }),
    dataPlane: dataPlaneMachine.provide({ actors: {
      session: bridge.fromStream<DataPlaneMachineEvent, MeshdFailure, {}>(() => dataPlane.session.pipe(Stream.tap(logMeshd)), (cause) => ({ type: "meshd.lost", reason: lost(Cause.squash(cause)) }))
    } }),
    dns: dnsListenerMachine.provide({ actors: {
      listen: bridge.fromStream<DnsListenerEvent, CannotListen, {}>(() => host.listen, (cause) => ({ type: "dns.lost", reason: lost(Cause.squash(cause)) }))
    } })
  }
})

const logLink = (event: LinkEvent) => {
  switch (event.type) {
    case "session.opened": return Effect.logInfo("attached to the control plane")
    case "session.synchronized": return Effect.void
    case "session.lost": return event.refused
      ? Effect.logError(`the control plane refused this agent's credential (${event.reason}); if the agent was removed, delete credential.json in its state folder and enrol it again: gstacks agent token create`)
      : Effect.logWarning(`the control plane is away: ${event.reason}`)
  }
}

const logMeshd = (event: DataPlaneEvent) => {
  switch (event.type) {
    case "meshd.connected": return Effect.logInfo(`connected to meshd, pid ${event.pid}`)
    case "meshd.rejected": return Effect.logError(event.reason)
    case "meshd.applied": return event.failedSandboxes === 0 ? Effect.void : Effect.logWarning(`meshd cannot serve ${event.failedSandboxes} sandbox(es)`)
  }
}
