/** The relay on 127.0.0.1 is a pipe: bytes, half-close and death pass through, and a control plane that is away is a closed connection. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { connect, createServer, type Server, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { listen } from "../../src/dev/relay.ts"

const folder = Effect.acquireRelease(Effect.sync(() => mkdtempSync(join(tmpdir(), "gs-dev-"))), (path) => Effect.sync(() => rmSync(path, { recursive: true })))

const server = (path: string, handle: (socket: Socket) => void) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const server = createServer({ allowHalfOpen: true }, handle)
      await once(server.listen(path), "listening")
      return server
    }),
    (server: Server) => Effect.sync(() => server.close())
  )

const readAll = async (socket: Socket) => {
  const chunks: Array<Buffer> = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

it.live("answers after the client has closed its half", () =>
  Effect.gen(function*() {
    const path = join(yield* folder, "s")
    yield* server(path, (socket) => void readAll(socket).then((said) => socket.end(`you said ${said}`)))
    const port = yield* listen(path, 0)
    const client = connect({ port, host: "127.0.0.1", allowHalfOpen: true })
    client.end("hello")
    assert.strictEqual(yield* Effect.promise(() => readAll(client)), "you said hello")
  }))

it.live("takes the wanted port when it is free, else another", () =>
  Effect.gen(function*() {
    const path = join(yield* folder, "s")
    const port = yield* Effect.scoped(listen(path, 0))
    assert.strictEqual(yield* Effect.scoped(listen(path, port)), port)
    yield* listen(path, port)
    assert.notStrictEqual(yield* listen(path, port), port)
  }))

it.live("closes the connection when nobody listens on the socket", () =>
  Effect.gen(function*() {
    const port = yield* listen(join(yield* folder, "nobody"), 0)
    const client = connect({ port, host: "127.0.0.1" })
    yield* Effect.promise(() => once(client, "close"))
    assert.isTrue(client.destroyed)
  }))

it.live("closing it ends open connections", () =>
  Effect.gen(function*() {
    const path = join(yield* folder, "s")
    yield* server(path, (socket) => void socket.on("error", () => undefined).write("hello"))
    const client = yield* Effect.scoped(Effect.gen(function*() {
      const port = yield* listen(path, 0)
      const client = connect({ port, host: "127.0.0.1" }).on("error", () => undefined)
      yield* Effect.promise(() => once(client, "data"))
      return client
    }))
    if (!client.destroyed) yield* Effect.promise(() => once(client, "close"))
    assert.isTrue(client.destroyed)
  }))
