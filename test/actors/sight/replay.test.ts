import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import type { ActorState } from "../../../src/domain/Sight.ts"
import { treeAt } from "../../../src/domain/Sight/treeAt.ts"
import { treeBefore } from "../../../src/domain/Sight/treeBefore.ts"
import { ActorSystem } from "../../../src/actors/runtime/ActorSystem.ts"
import { type Strategy, supervisorChild } from "../../../src/actors/runtime/ChildSpec.ts"
import * as Supervisor from "../../../src/actors/runtime/Supervisor.ts"
import { Sight } from "../../../src/actors/sight/Sight.ts"
import { worker } from "../runtime/worker.ts"

const Step = Schema.Union([
  Schema.TaggedStruct("Send", { to: Schema.Literals(["a", "b", "g", "g/x", "g/y", "g/z", "new"]), type: Schema.Literals(["work", "invoke", "done", "crash.action", "crash.guard"]) }),
  Schema.TaggedStruct("Start", { id: Schema.Literals(["new", "a"]), group: Schema.Boolean }),
  Schema.TaggedStruct("Stop", { id: Schema.Literals(["a", "b", "g", "new"]) }),
  Schema.TaggedStruct("Pause", {})
])
const Steps = Schema.Array(Step).check(Schema.isMaxLength(25))

const layer = Layer.provideMerge(Sight.layer, ActorSystem.layer)
const actorsNow = Sight.use((sight) => sight.actors)
/** Nothing is left to do for any fiber that does not wait for the clock. */
const settle = Effect.forEach(Array.from({ length: 200 }), () => Effect.yieldNow, { discard: true })

const start = (strategy: Strategy, backoffMs: number) =>
  Supervisor.start({
    address: "root", strategy, intensity: { restarts: 4, withinMs: 1000 }, backoff: { initialMs: backoffMs, maxMs: backoffMs },
    children: [
      worker("a"), worker("b", { restart: "transient" }),
      supervisorChild({
        id: "g", strategy: "oneForAll", intensity: { restarts: 1, withinMs: 1000 }, restart: "permanent", shutdownMs: 1000,
        children: [worker("x"), worker("y", { restart: "temporary" }), worker("z", { restart: "transient", significant: true })]
      })
    ]
  })

describe("treeAt", () => {
  it.effect.prop(
    "folds any journal into the tree that was, from any point in time on, and back",
    [Schema.Literals(["oneForOne", "oneForAll", "restForOne"]), Schema.Literals([0, 50]), Steps],
    ([strategy, backoffMs, steps]) =>
      Effect.gen(function*() {
        const actors = yield* ActorSystem
        const root = yield* start(strategy, backoffMs)
        yield* settle
        const seen: Array<{ readonly seq: number; readonly tree: ReadonlyArray<ActorState> }> = [{ seq: 0, tree: [] }]
        for (const step of steps) {
          if (step._tag === "Send") yield* Effect.ignore(actors.send(`root/${step.to}`, { type: step.type }))
          else if (step._tag === "Start") {
            yield* Effect.ignore((step.group ? Effect.ignore(actors.supervisor("root/g").pipe(Effect.flatMap((group) => group.startChild(worker(step.id))))) : root.startChild(worker(step.id))))
          } else if (step._tag === "Stop") yield* root.stopChild(step.id)
          else yield* TestClock.adjust(40)
          yield* settle
          seen.push({ seq: actors.journal.newest, tree: yield* actorsNow })
        }
        for (const base of [seen[0]!, seen[Math.floor(seen.length / 2)]!]) {
          const { entries } = actors.journal.page({ prefix: "", after: base.seq, limit: Infinity })
          for (const { seq, tree } of seen.filter((later) => later.seq >= base.seq)) {
            assert.deepStrictEqual(treeAt(base.tree, entries, seq - base.seq), tree)
          }
          const tree = yield* actorsNow
          assert.sameDeepMembers([...treeAt(treeBefore(tree, entries), entries, entries.length)], [...tree])
        }
      }).pipe(Effect.scoped, Effect.provide(layer)),
    { arbitrary: { runs: 100 } }
  )
})
