import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { ActorSystem } from "../../../src/actors/runtime/ActorSystem.ts"
import { supervisorChild } from "../../../src/actors/runtime/ChildSpec.ts"
import * as Supervisor from "../../../src/actors/runtime/Supervisor.ts"
import { history, restarted, send, snapshot, tree, worker } from "./worker.ts"

const intensity = { restarts: 5, withinMs: 10_000 }

describe("actor runtime", () => {
  it.effect("starts a tree, delivers events, restarts a crashed child, stops in reverse order", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      yield* Supervisor.start({
        address: "house",
        strategy: "oneForOne",
        intensity,
        children: [
          worker("a"),
          supervisorChild({ id: "rooms/1", strategy: "restForOne", intensity, restart: "permanent", shutdownMs: 5000, children: [worker("b"), worker("c")] })
        ]
      }).pipe(Scope.provide(scope))
      assert.deepStrictEqual((yield* tree).map((actor) => [actor.address, actor.state]), [
        ["house", "running"], ["house/a", "idle"], ["house/rooms/1", "running"], ["house/rooms/1/b", "idle"], ["house/rooms/1/c", "idle"]
      ])
      yield* send("house/a", "work")
      yield* ActorSystem.use((actors) => actors.waitFor("house/a", (_, context) => context.count === 1))
      assert.deepStrictEqual((yield* snapshot("house/a")).context, { name: "a", count: 1 })
      yield* send("house/a", "crash.action")
      const after = yield* restarted("house/a", 1)
      assert.deepStrictEqual(after.context, { name: "a", count: 0 })
      assert.strictEqual(after.lastError, "Error: boom in an action")
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* tree, [])
      const stopped = (yield* ActorSystem.use((actors) => Effect.succeed(actors.journal.entries()))).filter((entry) => entry.kind === "stopped").map((entry) => entry.address)
      assert.deepStrictEqual(stopped, ["house/rooms/1/c", "house/rooms/1/b", "house/rooms/1", "house/a", "house"])
      assert.deepStrictEqual(yield* history("house/a"), ["started", "crashed", "restarting", "started", "stopped", "removed"])
    }).pipe(Effect.provide(ActorSystem.layer)))
})
