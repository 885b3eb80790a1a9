/** The background process of a developer's machine, in this process: its own services and socket, with a fake meshd and a fake control plane. */
import { assert } from "@effect/vitest"
import { Context, Effect, Layer, Schedule } from "effect"
import { join } from "node:path"
import { ActorSystem } from "../../src/actors/runtime/ActorSystem.ts"
import { connect } from "../../src/cli/LocalDaemon/client.ts"
import { NetworkName } from "../../src/domain/DnsLabel.ts"
import { Joins } from "../../src/local/Joins.ts"
import { Meshd } from "../../src/local/Meshd.ts"
import { Places } from "../../src/local/Places.ts"
import { services } from "../../src/local/program.ts"
import { fakeMeshd } from "../harness/fakeMeshd.ts"
import { temporaryFolder } from "../agent/settings.ts"
import { FakeControlPlane } from "./FakeControlPlane.ts"

const url = "http://control"

export const world = Effect.gen(function*() {
  const folder = yield* temporaryFolder
  const places = Places.of({
    stateDir: folder, runtimeDir: folder, socket: join(folder, "local.sock"), log: join(folder, "local.log"),
    meshd: "/nonexistent", meshdSocket: join(folder, "meshd.sock"), meshdState: join(folder, "meshd"), lock: join(folder, "lock")
  })
  const control = new FakeControlPlane()
  const meshd = yield* fakeMeshd(places.meshdSocket)
  const context = yield* Layer.build(Layer.provide(services, Layer.mergeAll(
    Layer.succeed(Places, places), control.layer, Layer.succeed(Meshd, Meshd.of({ run: Effect.succeed(Effect.never) })))))
  const client = yield* connect(places.socket)
  const joins = (token = "ann's", name = "dev", at = url) => client.join({ network: NetworkName.make(name), url: at, token })
  const joinOf = (name: string) => Effect.map(client.status, ({ networks }) => networks.find((one) => one.network === name))
  return {
    control, meshd, client, join: joins, joinOf, folder, allLeft: Context.get(context, Joins).allLeft, actors: Context.get(context, ActorSystem),
    /** Waits until the network's join is so. */
    until: (state: string, name = "dev") => Effect.repeat(joinOf(name), { until: (one) => (one?.state ?? "none") === state, schedule: Schedule.spaced("10 millis") }).pipe(
      Effect.timeoutOrElse({ duration: "20 seconds", orElse: () => Effect.flatMap(joinOf(name), (one) => Effect.sync(() => assert.fail(`${name} is not ${state}: ${JSON.stringify(one)}`))) }))
  }
})
