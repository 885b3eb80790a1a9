/** A Unix socket for its own user: a file of mode 0600 in a folder of mode 0700. What a killed process left there is replaced; one that answers is not. */
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { Effect, Layer, Schema } from "effect"
import { RpcSerialization, RpcServer } from "effect/rpc"
import { SocketError } from "effect/socket/Socket"
import { SocketServer } from "effect/socket/SocketServer"
import { chmod, mkdir, rm } from "node:fs/promises"
import { createConnection } from "node:net"
import { dirname } from "node:path"

export class AlreadyRunning extends Schema.TaggedError<AlreadyRunning>()("AlreadyRunning", { message: Schema.String }) {}

const answers = (path: string): Effect.Effect<boolean> => Effect.callback((resume) => {
  const socket = createConnection(path)
  const say = (yes: boolean) => { socket.destroy(); resume(Effect.succeed(yes)) }
  socket.once("connect", () => say(true)).once("error", () => say(false))
})

/** A command that ends before it has read every answer resets its connection: its own affair, and no error of this process. */
const hangUpsForgiven = Layer.effect(SocketServer, Effect.map(SocketServer, (server) => SocketServer.of({
  address: server.address,
  run: (handler) => server.run((socket) => Effect.catchDefect(Effect.asVoid(handler(socket)), (defect) =>
    SocketError.is(defect) ? Effect.logDebug(`a local connection ended early: ${defect.message}`) : Effect.die(defect)))
})))

/** Largest call, in bytes: a program's arguments and environment are 2 MiB at most. */
const largestCall = 4 << 20
const lines = Layer.succeed(RpcSerialization.RpcSerialization, RpcSerialization.makeNdjson({ maxBufferSize: largestCall }))

/** RPCs at this socket. `taken`: what to say when somebody answers there already. */
export const localSocket = (path: string, taken: string) => RpcServer.layerProtocolSocketServer.pipe(Layer.provide(lines), Layer.provide(listening(path, taken)))

const listening = (path: string, taken: string) => Layer.unwrap(Effect.gen(function*() {
  const folder = dirname(path)
  yield* Effect.promise(() => mkdir(folder, { recursive: true, mode: 0o700 }))
  yield* Effect.promise(() => chmod(folder, 0o700)) // it may have been there; a socket is open to all for a moment
  if (yield* answers(path)) return yield* new AlreadyRunning({ message: taken })
  yield* Effect.promise(() => rm(path, { force: true }))
  const server = hangUpsForgiven.pipe(Layer.provide(NodeSocketServer.layer({ path })))
  return Layer.effectDiscard(Effect.promise(() => chmod(path, 0o600))).pipe(Layer.provideMerge(server))
}))
