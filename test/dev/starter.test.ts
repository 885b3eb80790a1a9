/** One starter per cluster: the second is refused while the first lives, and a dead one's place is taken. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { named } from "../../src/dev/Cluster.ts"
import { startTimeOf } from "../../src/dev/processes.ts"
import * as Starter from "../../src/dev/starter.ts"

const cluster = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "gs-dev-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
).pipe(Effect.map((home) => named("dev", { XDG_STATE_HOME: home })))

it.effect("the living keep others away", () =>
  Effect.gen(function*() {
    const mine = yield* cluster
    yield* Starter.claim(mine, 2)
    const refusal = yield* Effect.flip(Starter.claim(mine, 2))
    assert.match(refusal.problem.detail, new RegExp(`cluster dev is already running \\(still starting\\), started by process ${process.pid}`))
    assert.strictEqual(Starter.running(mine)?.pid, process.pid)
  }))

it.effect("a pid that now belongs to another process is dead, and its port is asked for again", () =>
  Effect.gen(function*() {
    const mine = yield* cluster
    const { mine: record } = yield* Starter.claim(mine, 2)
    yield* Starter.update(mine, { ...record, startTime: "1", port: 4242, url: "http://127.0.0.1:4242" })
    assert.isNull(Starter.running(mine))
    const { before, mine: next } = yield* Starter.claim(mine, 3)
    assert.strictEqual(before?.startTime, "1")
    assert.deepStrictEqual({ ...next }, { pid: process.pid, startTime: startTimeOf(process.pid) ?? "", hosts: 3, port: 4242, url: null, previousContext: null })
  }))

it("clusters differ by name and by state folder, and their sockets' paths fit", () => {
  const paths = [named("dev", { XDG_STATE_HOME: "/a" }), named("dev", { XDG_STATE_HOME: "/b" }), named("other", { XDG_STATE_HOME: "/a" })].map((each) => each.runtimeDir)
  assert.strictEqual(new Set(paths).size, 3)
  for (const path of paths) assert.isBelow(join(path, "host-200", "agent.sock").length, 107)
})
