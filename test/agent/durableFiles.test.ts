import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Logger, Option, Result, Schema } from "effect"
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { durableState } from "../../src/actors/runtime/DurableState.ts"
import { Disk } from "../../src/agent/Disk.ts"
import { load, orDropped, remove, store } from "../../src/agent/files.ts"
import { temporaryFolder } from "./settings.ts"

const state = durableState({
  machine: "sample", what: "a word", without: "it is silent", schema: Schema.Struct({ word: Schema.String }),
  migrations: [(old: { text: string }) => ({ word: old.text })]
})

const file = Effect.map(temporaryFolder, (folder) => join(folder, "deep/state.json"))

/** The host's disk, but for one step. */
const withDisk = (change: Partial<Disk>) => <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(Disk, (disk) => Effect.provideService(effect, Disk, { ...disk, ...change }))
const noSpace = () => Promise.reject(Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" }))

/** What is logged by it. */
const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const lines: Array<string> = []
  return Effect.map(Effect.provide(effect, Logger.layer([Logger.make(({ message }) => { lines.push(String(message)) })])), (value) => ({ value, lines }))
}

describe("durable state on disk", () => {
  it.effect("is whole, synced, for the owner only, and read again", () => Effect.gen(function*() {
    const path = yield* file
    const steps: Array<string> = []
    const disk = yield* Disk
    const noting = { ...disk, rename: (from: string, to: string) => { steps.push("rename"); return disk.rename(from, to) }, syncFolder: (folder: string) => { steps.push("sync folder"); return disk.syncFolder(folder) } }
    assert.isTrue(Option.isNone(yield* load(path, state)))
    yield* Effect.provideService(store(path, state, { word: "hello" }), Disk, noting)
    assert.deepStrictEqual(steps, ["rename", "sync folder"])
    assert.deepStrictEqual(Option.getOrThrow(yield* load(path, state)), { word: "hello" })
    assert.strictEqual(statSync(path).mode & 0o777, 0o600)
    assert.deepStrictEqual(readdirSync(join(path, "..")), ["state.json"])
    yield* remove(path)
    assert.isFalse(existsSync(path))
  }))

  it.effect("of a program before there were versions is migrated, and is of the present version when stored again", () => Effect.gen(function*() {
    const path = yield* file
    mkdirSync(join(path, ".."))
    writeFileSync(path, `{"text":"old"}`)
    const old = Option.getOrThrow(yield* load(path, state))
    assert.deepStrictEqual(old, { word: "old" })
    yield* store(path, state, old)
    assert.strictEqual(readFileSync(path, "utf8"), `{"machine":"sample","version":1,"state":{"word":"old"}}\n`)
  }))

  it.effect("that is damaged, cut off or newer is dropped with its reason in the log, or a trouble that says what to do", () => Effect.gen(function*() {
    const path = yield* file
    mkdirSync(join(path, ".."))
    for (const [text, why] of [
      ["", "it is not what version 0 was; remove the file: without it, it is silent"],
      ["\u0000\u0000", "it is not what version 0 was; remove the file: without it, it is silent"],
      [`{"machine":"sample","version":1,"sta`, "it is no whole JSON text; remove the file: without it, it is silent"],
      [`{"machine":"sample","version":9,"state":{}}`, "it has version 9, and this program knows up to 1; start the newer program again, or remove the file: without it, it is silent"]
    ] as const) {
      writeFileSync(path, text)
      const message = `${path}: the state of sample cannot be used: ${why}`
      assert.strictEqual((yield* Effect.flip(load(path, state))).message, message)
      const { lines, value } = yield* logged(orDropped(load(path, state)))
      assert.deepStrictEqual([Option.isNone(value), lines], [true, [`dropped: ${message}`]])
    }
  }))

  it.effect("that cannot be read is a trouble", () => Effect.gen(function*() {
    const path = yield* file
    mkdirSync(path, { recursive: true })
    assert.match((yield* Effect.flip(load(path, state))).message, /state\.json: EISDIR/)
  }))

  for (const step of ["write", "rename", "syncFolder"] as const) {
    it.effect(`a disk that is full at "${step}" leaves the older state or none but never half of one, and says so`, () => Effect.gen(function*() {
      const path = yield* file
      yield* store(path, state, { word: "older" })
      const result = yield* Effect.result(withDisk({ [step]: noSpace })(store(path, state, { word: "newer" })))
      assert.match(Result.getOrThrow(Result.flip(result)).message, /state\.json: ENOSPC/)
      assert.deepStrictEqual(Option.getOrThrow(yield* load(path, state)), { word: step === "syncFolder" ? "newer" : "older" })
      assert.deepStrictEqual(readdirSync(join(path, "..")), ["state.json"])
    }))
  }

  it.effect("a process that is killed between write and rename leaves the older state, and its rest is removed", () => Effect.gen(function*() {
    const path = yield* file
    yield* store(path, state, { word: "older" })
    const killed = withDisk({ rename: () => Promise.reject(new Error("killed")), remove: () => Promise.reject(new Error("killed")) })(store(path, state, { word: "newer" }))
    assert.isTrue(Exit.isFailure(yield* Effect.exit(killed)))
    assert.strictEqual(readdirSync(join(path, "..")).length, 2)
    assert.deepStrictEqual(Option.getOrThrow(yield* load(path, state)), { word: "older" })
    assert.deepStrictEqual(readdirSync(join(path, "..")), ["state.json"])
  }))
})
