/** What the world's first process does with its units: logs that stay small, deaths that are followed by a new life. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { tmpdir } from "node:os"
import { startTimeOf } from "../../src/dev/processes.ts"
import { BoundedLog } from "../../src/dev/world/BoundedLog.ts"
import { bridgeScript } from "../../src/dev/world/bridge.ts"
import { delayAfter, keepRunning, type UnitSpec } from "../../src/dev/world/unit.ts"
import type { ProcessState } from "../../src/dev/world/WorldConfig.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "gs-dev-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

const shell = (script: string, logFile: string): UnitSpec => ({
  role: "agent", host: "host-1", command: "sh", args: ["-c", script], env: { PATH: process.env["PATH"] ?? "", WHO: "me" }, logFile
})

describe("BoundedLog", () => {
  it.effect("keeps the newest bytes, in two files of about the limit", () =>
    Effect.gen(function*() {
      const file = join(yield* folder, "log")
      const log = new BoundedLog(file, 1000)
      for (let line = 0; line < 1000; line++) log.write(`line ${String(line).padStart(4, "0")}\n`)
      log.close()
      const kept = readFileSync(`${file}.1`, "utf8") + readFileSync(file, "utf8")
      assert.isTrue(kept.endsWith("line 0999\n"))
      assert.isAtMost(statSync(file).size, 1010)
      assert.isAtMost(statSync(`${file}.1`).size, 1010)
    }))

  it.effect("goes on where an earlier process stopped", () =>
    Effect.gen(function*() {
      const file = join(yield* folder, "log")
      for (const text of ["first\n", "second\n"]) {
        const log = new BoundedLog(file, 1000)
        log.write(text)
        log.close()
      }
      assert.strictEqual(readFileSync(file, "utf8"), "first\nsecond\n")
    }))
})

describe("keepRunning", () => {
  it("waits 0.1 s after the first death, then longer, at most 5 s", () => {
    assert.deepStrictEqual([1, 2, 3, 4, 20].map(delayAfter), [100, 200, 400, 800, 1000])
  })

  it.live("starts again what ended, tells how it ended, and stops it when interrupted", () =>
    Effect.gen(function*() {
      const place = yield* folder
      const logFile = join(place, "log")
      const states: Array<ProcessState> = []
      const third = yield* Deferred.make<number>()
      const script = `echo life of $WHO; echo x >> ${join(place, "lives")}; [ $(grep -c x ${join(place, "lives")}) -ge 3 ] && exec sleep 1000; kill -9 $$`
      const fiber = yield* Effect.forkChild(keepRunning(shell(script, logFile), (state) => {
        states.push(state)
        if (state.restarts === 2 && state.pid !== null) Deferred.doneUnsafe(third, Effect.succeed(state.pid))
      }))
      const pid = yield* Deferred.await(third)
      assert.isNotNull(startTimeOf(pid))
      assert.deepStrictEqual(states.map((state) => state.state), ["running", "restarting", "running", "restarting", "running"])
      assert.deepStrictEqual(states.at(-1)?.lastExit, "signal SIGKILL")
      yield* Fiber.interrupt(fiber)
      assert.isNull(startTimeOf(pid))
      assert.match(readFileSync(logFile, "utf8"), /^life of me\n-- agent ended: signal SIGKILL\nlife of me\n/)
    }))

  it.live("keeps trying what cannot be started", () =>
    Effect.gen(function*() {
      const logFile = join(yield* folder, "log")
      const twice = yield* Deferred.make<ProcessState>()
      const unit = { ...shell("", logFile), command: "/nowhere/at/all" }
      const fiber = yield* Effect.forkChild(keepRunning(unit, (state) => {
        if (state.restarts === 2) Deferred.doneUnsafe(twice, Effect.succeed(state))
      }))
      assert.match((yield* Deferred.await(twice)).lastExit ?? "", /could not start: .*ENOENT/)
      yield* Fiber.interrupt(fiber)
    }))
})

describe("bridgeScript", () => {
  it("gives every host its own address on the one bridge, and nobody a route out", () => {
    const script = bridgeScript(["host-1", "host-2"])
    assert.match(script, /ip -n host-1 address add 10\.99\.0\.11\/24/)
    assert.match(script, /ip -n host-2 address add 10\.99\.0\.12\/24/)
    assert.notMatch(script, /route|default/)
  })
})
