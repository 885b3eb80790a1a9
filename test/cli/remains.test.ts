/** What a killed background process leaves is removed by the next command that meets it, and nothing of one that lives. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { placesIn } from "../../src/cli/LocalDaemon/places.ts"
import { gstacks, temporaryFolder } from "./gstacks.ts"

/** What is killed is what has no time to remove its socket. */
const listenAndDie = "require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))"

const world = Effect.gen(function*() {
  const folder = yield* temporaryFolder
  const env = { XDG_RUNTIME_DIR: folder, XDG_STATE_HOME: folder }
  const places = placesIn(env)
  mkdirSync(places.meshdState, { recursive: true })
  writeFileSync(join(places.meshdState, "node.key"), "secret")
  for (const socket of [places.socket, places.meshdSocket]) yield* Effect.promise(() => once(spawn(process.execPath, ["-e", listenAndDie, socket]), "exit"))
  assert.sameMembers(readdirSync(places.runtimeDir), ["local.sock", "meshd.sock", "meshd"])
  return { env, places, status: Effect.map(gstacks("mesh status --json", { env }), ({ code, stdout }) => ({ code, pid: JSON.parse(stdout).pid })) }
})

describe("what a killed background process leaves", () => {
  it.live("goes when somebody asks for the process", () => Effect.gen(function*() {
    const { places, status } = yield* world
    assert.deepStrictEqual(yield* status, { code: 0, pid: null })
    assert.deepStrictEqual(readdirSync(places.runtimeDir), ["lock"])
  }))

  it.live("stays while one starts or ends, which has the lock", () => Effect.gen(function*() {
    const { places, status } = yield* world
    const other = yield* Effect.acquireRelease(Effect.sync(() => spawn("flock", ["--no-fork", places.lock, "sh", "-c", "echo has it; exec sleep 60"])), (child) => Effect.sync(() => child.kill("SIGKILL")))
    yield* Effect.promise(() => once(other.stdout, "data"))
    assert.deepStrictEqual(yield* status, { code: 0, pid: null })
    assert.sameMembers(readdirSync(places.runtimeDir), ["lock", "local.sock", "meshd.sock", "meshd"])
  }))
})
