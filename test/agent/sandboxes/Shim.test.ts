/** What is read of a shim while it writes. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { execFileSync, spawn } from "node:child_process"
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Disk } from "../../../src/agent/Disk.ts"
import { startTimeOf } from "../../../src/agent/sandboxes/process.ts"
import { awaitProgram, command, readEnd } from "../../../src/agent/sandboxes/Shim.ts"

const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "gs-shim-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true })))
const gone = JSON.stringify({ pid: 1, startTime: -1, cgroup: null })

describe("the end of a sandbox", () => {
  it.effect("is not missed when the shim tells it and goes between two looks", () => Effect.gen(function*() {
    const folder = yield* temporary
    writeFileSync(join(folder, "shim.json"), gone)
    const disk = yield* Disk
    const meanwhile = Disk.of({ ...disk, read: async (path) => {
      const text = await disk.read(path)
      if (path.endsWith("shim.json")) writeFileSync(join(folder, "exit.json"), JSON.stringify({ code: 7, at: 0 }))
      return text
    } })
    assert.deepStrictEqual(yield* Effect.provideService(readEnd(folder), Disk, meanwhile), { exit: { code: 7, at: 0 } })
  }))

  it.effect("of a shim that was killed has no word", () => Effect.gen(function*() {
    const folder = yield* temporary
    writeFileSync(join(folder, "shim.json"), gone)
    assert.deepStrictEqual(yield* readEnd(folder), { exit: undefined })
  }))
})

describe("the start of a program, whose sandbox still lives when its shim has gone", () => {
  const sandbox = Effect.acquireRelease(
    Effect.sync(() => spawn("sleep", ["infinity"])),
    (child) => Effect.sync(() => { child.kill("SIGKILL") })
  ).pipe(Effect.map(({ pid }) => ({ pid: pid!, startTime: startTimeOf(pid!)! })))

  it.live("has been when the shim told of the end", () => Effect.gen(function*() {
    const folder = yield* temporary
    writeFileSync(join(folder, "shim.json"), gone)
    writeFileSync(join(folder, "exit.json"), JSON.stringify({ code: 0, at: 0 }))
    yield* awaitProgram(folder, yield* sandbox)
  }))

  it.live("has failed when the shim was killed", () => Effect.gen(function*() {
    const folder = yield* temporary
    writeFileSync(join(folder, "shim.json"), gone)
    assert.include((yield* Effect.flip(awaitProgram(folder, yield* sandbox))).message, "killed while it started")
  }))
})

describe("a command to a shim", () => {
  it.live("that goes while it is told is no error", () => Effect.gen(function*() {
    const folder = yield* temporary
    writeFileSync(join(folder, "shim.json"), gone)
    execFileSync("mkfifo", [join(folder, "control")])
    for (let turn = 0; turn < 300; turn++) { // by chance before, while and after the word is written
      const reader = openSync(join(folder, "control"), constants.O_RDONLY | constants.O_NONBLOCK)
      const said = yield* Effect.forkChild(command(folder, "release"), { startImmediately: true })
      const until = performance.now() + turn / 300
      while (performance.now() < until) yield* Effect.promise(() => new Promise((next) => { setImmediate(next) }))
      closeSync(reader)
      yield* Fiber.join(said)
    }
  }))
})
