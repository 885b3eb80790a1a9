/**
 * A user's own background process on a developer's machine: joins networks, and keeps forwards and what it publishes. It needs no privilege, changes nothing of the
 * machine, and ends with its last network, or when nothing was joined within a minute. Whatever it started ends with it.
 */
import { Cause, Context, Effect, Layer, Logger, Stream } from "effect"
import { dataPlaneMachine, type DataPlaneMachineEvent } from "../actors/machines/dataPlane.ts"
import { ActorSystem } from "../actors/runtime/ActorSystem.ts"
import * as Bridge from "../actors/runtime/bridge.ts"
import { machineChild, supervisorChild } from "../actors/runtime/ChildSpec.ts"
import * as Supervisor from "../actors/runtime/Supervisor.ts"
import { DataPlane } from "../agent/dataplane/DataPlane.ts"
import type { MeshdFailure } from "../agent/dataplane/MeshdClient.ts"
import * as Address from "./addresses.ts"
import { AllForwards } from "./AllForwards.ts"
import { Commands } from "./Commands.ts"
import { ControlPlanes } from "./ControlPlanes.ts"
import { Forwards } from "./Forwards.ts"
import { Joins } from "./Joins.ts"
import { desired, Known } from "./Known.ts"
import * as LocalApi from "./LocalApi.ts"
import { Meshd, withMeshd } from "./Meshd.ts"
import { Places } from "./Places.ts"
import { Publications } from "./Publications.ts"

/** For the command that started it to join something. */
const firstJoinWithin = "1 minute"
const neverGivesUp = { restarts: Infinity, withinMs: 10_000 }
const backoff = { initialMs: 100, maxMs: 10_000 }

const pool = (address: string) => supervisorChild({
  id: address.slice(Address.root.length + 1), strategy: "oneForOne", intensity: neverGivesUp, backoff, restart: "permanent", shutdownMs: 8_000, children: []
})

/** Started before what uses it, stopped after: meshd outlives what leaves the networks. */
const tree = Effect.gen(function*() {
  const bridge = yield* Bridge.make<never>()
  const dataPlane = yield* DataPlane
  const session = Stream.provideService(withMeshd(dataPlane.session), Meshd, yield* Meshd)
  const meshd = dataPlaneMachine.provide({ actors: {
    session: bridge.fromStream<DataPlaneMachineEvent, MeshdFailure, {}>(() => session, (cause) => ({ type: "meshd.lost", reason: messageOf(Cause.squash(cause)) }))
  } })
  return yield* Supervisor.start({
    address: Address.root, strategy: "oneForOne", intensity: { restarts: 5, withinMs: 30_000 },
    children: [
      machineChild({ id: "meshd", logic: meshd, restart: "permanent", shutdownMs: 8_000, redact: ["attempt", "generation", "pid", "lastError"] }),
      pool(Address.joins), pool(Address.forwards), pool(Address.commands), pool(Address.publications)
    ]
  })
})

const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

class Tree extends Context.Service<Tree, Supervisor.SupervisorRef>()("gstacks/local/Tree") {
  static readonly layer = Layer.effect(Tree, tree)
}

/** What it reaches: meshd, which it runs, and control planes. */
export const outside = Layer.mergeAll(Meshd.layer, ControlPlanes.layer)

/** All that runs here, but for what it reaches, and where it keeps what it has. */
export const services = LocalApi.layer.pipe(
  Layer.provideMerge(Layer.mergeAll(AllForwards.layer, Publications.layer)),
  Layer.provideMerge(Layer.mergeAll(Joins.layer, Forwards.layer, Commands.layer)),
  Layer.provideMerge(Tree.layer),
  Layer.provideMerge(DataPlane.layerNoDeps),
  Layer.provideMerge(desired),
  Layer.provideMerge(Layer.mergeAll(Known.layer, ActorSystem.layerWith({ journalBytes: 1024 * 1024 })))
)

const run = Effect.gen(function*() {
  const joins = yield* Joins
  const joinedNothing = Effect.gen(function*() {
    yield* Effect.sleep(firstJoinWithin)
    if ((yield* joins.list).length > 0) return yield* Effect.never
  })
  yield* Effect.logInfo("the background process runs")
  yield* Effect.raceAllFirst([joins.allLeft, joinedNothing, (yield* Tree).failed])
  yield* Effect.logInfo("nothing is joined any more")
}).pipe(Effect.provide(Layer.provide(services, outside.pipe(Layer.provideMerge(Places.layer)))))

const logs: Layer.Layer<never> = Logger.layer([Logger.withConsoleError(Logger.formatJson)])

export const program = Effect.provide(run, logs)
