/**
 * The control plane's supervision tree. Its inner supervisors start empty: sessions, rollouts and diagnostic runs are added as
 * agents connect, networks change and users ask. A child that keeps failing is contained at its own level.
 */
import { Context, Effect, Layer } from "effect"
import { ActorSystem } from "../actors/runtime/ActorSystem.ts"
import { supervisorChild } from "../actors/runtime/ChildSpec.ts"
import * as Supervisor from "../actors/runtime/Supervisor.ts"
import { diagnosticsAddress, meshAddress, rolloutsAddress, root, sessionsAddress } from "./actorAddresses.ts"

const pool = (address: string) => supervisorChild({
  id: address.slice(root.length + 1), strategy: "oneForOne", intensity: { restarts: 20, withinMs: 10_000 }, restart: "permanent", shutdownMs: 5_000, children: []
})

export class Tree extends Context.Service<Tree, Supervisor.SupervisorRef>()("gstacks/control/Tree") {
  static readonly layer: Layer.Layer<Tree, never, ActorSystem> = Layer.effect(Tree, Effect.suspend(() => Supervisor.start({
    address: root, strategy: "oneForOne", intensity: { restarts: 10, withinMs: 60_000 },
    children: [meshAddress, rolloutsAddress, sessionsAddress, diagnosticsAddress].map(pool)
  })))
}
