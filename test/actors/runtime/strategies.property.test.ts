import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { ActorSystem } from "../../../src/actors/runtime/ActorSystem.ts"
import type { Strategy } from "../../../src/actors/runtime/ChildSpec.ts"
import * as Supervisor from "../../../src/actors/runtime/Supervisor.ts"
import { send, snapshot, worker } from "./worker.ts"

const children = ["a", "b", "c", "d"] as const
const Steps = Schema.Array(Schema.Struct({ child: Schema.Literals(children), end: Schema.Boolean })).check(Schema.isMaxLength(12))

/** OTP's rule in one line: which children are started again when one of them goes down. */
const restartedWith = (strategy: Strategy, child: string) =>
  children.filter((other) => strategy === "oneForAll" || other === child || (strategy === "restForOne" && other > child))

it.effect.prop(
  "after any sequence of crashes and ends, each permanent child was restarted as often as the strategy says",
  [Schema.Literals(["oneForOne", "oneForAll", "restForOne"]), Steps],
  ([strategy, steps]) =>
    Effect.gen(function*() {
      yield* Supervisor.start({
        address: "root", strategy, intensity: { restarts: Infinity, withinMs: 1 }, backoff: { initialMs: 0, maxMs: 0 },
        children: children.map((id) => worker(id))
      })
      const expected: Record<string, number> = { a: 0, b: 0, c: 0, d: 0 }
      for (const step of steps) {
        yield* send(`root/${step.child}`, step.end ? "done" : "crash.action")
        for (const id of restartedWith(strategy, step.child)) expected[id] = (expected[id] ?? 0) + 1
        for (const id of children) {
          while (true) {
            const actor = yield* snapshot(`root/${id}`)
            if (actor.restarts === expected[id] && actor.status === "running") break
            assert.isAtMost(actor.restarts, expected[id] ?? 0)
            yield* Effect.yieldNow
          }
        }
      }
    }).pipe(Effect.scoped, Effect.provide(ActorSystem.layer)),
  { arbitrary: { runs: 60 } }
)
