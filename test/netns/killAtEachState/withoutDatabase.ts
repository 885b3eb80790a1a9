/**
 * A control plane whose PostgreSQL goes away while it reads a new version: it waits, is killed there, and its successor knows the
 * network. It runs alone, outside any cluster; the test plays its init, and a relay that can be cut is its database's address.
 */
import { Effect, Redacted } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { connect, createServer, type Socket } from "node:net"
import { join } from "node:path"
import { eventually } from "../../e2e/fixture.ts"
import { pausingBundles } from "../../harness/cluster.ts"
import { freePort } from "../../harness/freePort.ts"
import { postgres } from "../../harness/postgres.ts"
import { Pauses } from "./Pauses.ts"

export const state = "networkRollout.waiting"
const socketName = ".s.PGSQL.5432"

/** Listens in a folder of its own and hands on to the database's, until it is cut. */
const relayTo = async (folder: string, target: string) => {
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(join(target, socketName))
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on("error", () => {}).on("close", () => { near.destroy(); far.destroy(); sockets.delete(socket) })
    }
    near.pipe(far).pipe(near)
  })
  server.listen(join(folder, socketName))
  await once(server, "listening")
  return async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, "close")
  }
}

const ended = async (child: ChildProcess) => {
  child.kill("SIGKILL")
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit")
}

export const killedWithoutDatabase = Effect.scoped(Effect.gen(function*() {
  const address = new URL(Redacted.value(yield* (yield* postgres).database))
  const target = address.searchParams.get("host")!
  const folder = yield* Effect.acquireRelease(Effect.sync(() => mkdtempSync("/tmp/gs-db-")), (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })))
  const pauses = yield* Effect.acquireRelease(Effect.sync(() => new Pauses()), (pauses) => Effect.sync(() => pauses.remove()))
  const port = yield* freePort
  address.searchParams.set("host", folder)
  const start = Effect.acquireRelease(Effect.sync(() => spawn(process.execPath, [join(pausingBundles, "control.mjs")], {
    stdio: "ignore", env: { PATH: process.env["PATH"], ...pauses.settings, GLOBALSTACKS_STATE_DIR: folder, GLOBALSTACKS_LISTEN: `127.0.0.1:${port}`, GLOBALSTACKS_DATABASE_URL: address.href }
  })), (child) => Effect.promise(() => ended(child)))
  const api = async (method: string, path: string, body?: unknown) => fetch(`http://127.0.0.1:${port}/api/v1${path}`, {
    method, headers: { authorization: `Bearer ${readFileSync(join(folder, "admin.token"), "utf8").trim()}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) })
  })
  const answers = () => eventually("the API answers", async () => (await api("GET", "/networks").catch(() => undefined))?.ok === true, 20_000)

  yield* Effect.promise(() => relayTo(folder, target)).pipe(Effect.flatMap((cut) => Effect.gen(function*() {
    const control = yield* start
    const arrives = (state: string) => pauses.stopped("control", state, () => control.pid)
    yield* Effect.promise(async () => {
      await answers()
      pauses.arm("control", "networkRollout.pending")
      await api("POST", "/networks", { name: "kept" })
      await arrives("networkRollout.pending")
      await cut()
      pauses.arm("control", state)
      control.kill("SIGCONT")
      await arrives(state)
      await ended(control)
    })
  })))
  const cut = yield* Effect.promise(() => relayTo(folder, target))
  yield* start
  return yield* Effect.promise(async () => {
    await answers()
    const names = (await (await api("GET", "/networks")).json() as ReadonlyArray<{ readonly name: string }>).map(({ name }) => name)
    await cut()
    return names
  })
}))
