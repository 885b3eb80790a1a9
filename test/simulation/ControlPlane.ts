/**
 * The control plane's process: its real services and gateway over the simulated database, network and mesh coordinator. Left out
 * is what only carries: HTTP's listener, Headscale's process.
 */
import { Context, Effect, Exit, Layer, Option, type Scope, SubscriptionRef } from "effect"
import { HttpRouter, HttpServerRequest, type HttpServerResponse } from "effect/http"
import { Socket } from "effect/socket"
import { ActorSystem } from "../../src/actors/runtime/ActorSystem.ts"
import { Addresses } from "../../src/control/Addresses.ts"
import { AgentSessions } from "../../src/control/AgentGateway/AgentSessions.ts"
import * as AgentGateway from "../../src/control/AgentGateway.ts"
import { Agents } from "../../src/control/Agents.ts"
import { Aliases } from "../../src/control/Aliases.ts"
import { Attachments } from "../../src/control/Attachments.ts"
import { Audit } from "../../src/control/Audit.ts"
import { Changes } from "../../src/control/Changes.ts"
import { ClosedStreams } from "../../src/control/ClosedStreams.ts"
import { Diagnostics } from "../../src/control/Diagnostics.ts"
import { Expiry } from "../../src/control/Expiry.ts"
import { Questions } from "../../src/control/LocalNodes/Questions.ts"
import { Lookups } from "../../src/control/Lookups.ts"
import { Mesh } from "../../src/control/Mesh.ts"
import { MeshKeys } from "../../src/control/MeshKeys.ts"
import { MeshNodes } from "../../src/control/MeshNodes.ts"
import { MeshPolicy } from "../../src/control/MeshPolicy.ts"
import { Networks } from "../../src/control/Networks.ts"
import { News } from "../../src/control/News.ts"
import { Participants } from "../../src/control/Participants.ts"
import { Receipts } from "../../src/control/Receipts.ts"
import { Refusals } from "../../src/control/Refusals.ts"
import { Rollouts } from "../../src/control/Rollouts.ts"
import { Rules } from "../../src/control/Rules.ts"
import { RuleStore } from "../../src/control/Rules/RuleStore.ts"
import { Sandboxes } from "../../src/control/Sandboxes.ts"
import { Sessions } from "../../src/control/Sessions.ts"
import { Snapshots } from "../../src/control/Snapshots.ts"
import { Tokens } from "../../src/control/Tokens.ts"
import { Topologies } from "../../src/control/Topologies.ts"
import { Tree } from "../../src/control/Tree.ts"
import type { Coordinator } from "./Coordinator.ts"
import type { SimulatedDatabase } from "./Database.ts"
import type { Network, Upgrade } from "./Network.ts"
import { Process, type Surroundings } from "./Process.ts"
import type { WallClock } from "./WallClock.ts"

/** What a mutant may put in a service's place. */
export const controlParts = { agents: Agents.layer, participants: Participants.layer, diagnostics: Diagnostics.layer, snapshots: Snapshots.layer, news: News.layer({ _tag: "Memory" }), expiry: Expiry.layer }
export type ControlParts = typeof controlParts

const meshOf = (coordinator: Coordinator) => Layer.effect(Mesh, Effect.map(SubscriptionRef.make(Option.some(coordinator.api)), (current) => Mesh.of({
  controlUrl: "https://mesh", staticKey: Option.none(), user: undefined, api: Effect.succeed(coordinator.api), current
})))

const layerOf = (parts: ControlParts, coordinator: Coordinator, database: ReturnType<SimulatedDatabase["connections"]>["client"]) => Layer.mergeAll(Rollouts.layer, parts.diagnostics, parts.expiry).pipe(
  Layer.provideMerge(Layer.mergeAll(AgentSessions.layer, MeshKeys.layer)),
  Layer.provideMerge(Layer.mergeAll(Receipts.layer, parts.agents, MeshNodes.layer)),
  Layer.provideMerge(Layer.mergeAll(Networks.layer, Sandboxes.layer, Rules.layer, MeshPolicy.layer, parts.snapshots)),
  Layer.provideMerge(Attachments.layer),
  Layer.provideMerge(Aliases.layer),
  Layer.provideMerge(Layer.mergeAll(Changes.layer, ClosedStreams.layer, Addresses.layer, Tokens.layer, Topologies.layer, RuleStore.layer)),
  Layer.provideMerge(Layer.mergeAll(Lookups.layer, parts.participants, Audit.layer, parts.news, Sessions.layer, Refusals.layer, Questions.layer, meshOf(coordinator))),
  Layer.provideMerge(Tree.layer),
  Layer.provideMerge(Layer.mergeAll(ActorSystem.layer, database))
)

export type ControlServices = Layer.Success<ReturnType<typeof layerOf>>

export interface ControlWorld extends Surroundings {
  readonly network: Network
  readonly database: SimulatedDatabase
  readonly coordinator: Coordinator
  readonly controlClock: WallClock
  readonly controlParts: ControlParts
}

/** One life of it. */
export class ControlPlane {
  readonly process: Process
  /** Undefined until it is up. */
  services: Context.Context<ControlServices> | undefined

  get actors(): ActorSystem["Service"] | undefined { return this.services && Context.get(this.services, ActorSystem) }

  constructor(world: ControlWorld, ended: () => void) {
    const { database, network } = world
    this.process = new Process("control", world, () => world.controlClock.aheadMs)
    const connections = database.connections()
    this.process.onEnd(() => network.unlisten())
    this.process.onEnd(connections.cut)
    this.process.run(Effect.gen({ self: this }, function*() {
      const services = yield* Layer.build(layerOf(world.controlParts, world.coordinator, connections.client))
      const app = yield* HttpRouter.toHttpEffect(AgentGateway.layer).pipe(Effect.provideContext(services))
      network.listen((upgrade) => this.process.run(accept(app, upgrade)))
      this.services = services
      world.journal.note("control", "is up")
      return yield* Tree.pipe(Effect.flatMap((tree) => tree.failed), Effect.provideContext(services))
    }), (exit) => {
      world.journal.note("control", `ended: ${Exit.isFailure(exit) ? reasonOf(exit) : "by itself"}`)
      this.process.kill()
      ended()
    })
  }
}

const reasonOf = (exit: Exit.Exit<unknown, unknown>): string => String(exit).split("\n")[0]!

type App = Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, Scope.Scope | HttpServerRequest.HttpServerRequest>

/** A WebSocket's opening, as the HTTP server hands it to the gateway. */
const accept = (app: App, { headers, socket, refuse }: Upgrade) => Effect.gen(function*() {
  const request = HttpServerRequest.fromWeb(new Request(`http://control${AgentGateway.path}`, { headers }))
  Object.defineProperty(request, "upgrade", { value: Effect.suspend(() => Socket.fromWebSocket(Effect.succeed(socket()))) })
  const response = yield* app.pipe(Effect.provideService(HttpServerRequest.HttpServerRequest, request), Effect.scoped)
  if (response.status >= 400) refuse(response.status)
}).pipe(Effect.catchCause(() => Effect.sync(() => refuse(500))))
