import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Runnable, RunQueue } from "../../../src/actors/runtime/Mailbox.ts"

describe("turns", () => {
  it.effect("go on when one of them throws: with the others of its round, and with those that come later", () =>
    Effect.gen(function*() {
      const context = yield* Effect.context<never>()
      const took: Array<string> = []
      const failed: Array<unknown> = []
      const queue = new RunQueue(Effect.runForkWith(context), (error) => failed.push(error))
      const taking = (name: string): Runnable => ({ runTurn: () => (took.push(name), false) })
      const bad: Runnable = { runTurn: () => { throw new Error("boom") } }
      for (const runnable of [taking("a"), bad, taking("b")]) queue.add(runnable)
      for (let turn = 0; turn < 100 && took.length < 2; turn++) yield* Effect.yieldNow
      queue.add(taking("later"))
      for (let turn = 0; turn < 100 && took.length < 3; turn++) yield* Effect.yieldNow
      assert.deepStrictEqual(took, ["a", "b", "later"])
      assert.deepStrictEqual(failed.map(String), ["Error: boom"])
    }))
})
