/** Where the API listens: a TCP address, and a Unix socket when one is configured. Both serve the same routes. */
import { NodeHttpServer } from "@effect/platform-node"
import { ByteSize, Effect, Queue, Scope } from "effect"
import { HttpIncomingMessage, HttpServerRequest, type HttpServerResponse } from "effect/http"
import { chmod, rm } from "node:fs/promises"
import { createServer, type Server } from "node:http"
import type { ListenOptions } from "node:net"
import type { Duplex } from "node:stream"
import { largestMessage } from "../AgentGateway/Intake.ts"
import { problem } from "../../protocol/http/problems.ts"
import { boundUnread } from "../../protocol/http/unread.ts"

/** Largest body of a request. */
const maxBody = 1 << 20
/** At one address: agents and developers' machines have one each, a page in a browser a few. Beyond, what is open goes on and no more are accepted. */
const mostConnections = 10_000

export interface Addresses {
  readonly tcp: { readonly host: string; readonly port: number }
  readonly socket: string | undefined
}

/** Said before anything is read where the length is announced; the rest ends while it is read. */
const bounded = <E, R>(app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) => Effect.gen(function*() {
  const { headers } = yield* HttpServerRequest.HttpServerRequest
  if (Number(headers["content-length"] ?? 0) > maxBody) return problem(413, "Content Too Large", `The body of a request may have ${maxBody} bytes at most.`, "Send less.")
  return yield* app
}).pipe(Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.fromInputUnsafe(maxBody)))

/** A defect is logged with its cause; the caller learns only that it is ours. */
const contained = <E, R>(app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) => Effect.catchDefect(app, Effect.fnUntraced(function*(defect) {
  const { method, url } = yield* HttpServerRequest.HttpServerRequest
  yield* Effect.logError(`The request ${method} ${url} failed.`, defect)
  return problem(500, "Internal Server Error", "The control plane failed on this request; its log says why.", "Report it with the log.")
}))

/** Says that connections are turned away, once a minute however many they are. */
const sayDropped = Effect.fnUntraced(function*(server: Server) {
  const dropped = yield* Queue.sliding<void>(1)
  server.on("drop", () => Queue.offerUnsafe(dropped, undefined))
  yield* Queue.take(dropped).pipe(
    Effect.andThen(Effect.logWarning(`All ${server.maxConnections} connections are taken; more are turned away. See who holds them: ss -np`)),
    Effect.andThen(Effect.sleep("1 minute")), Effect.forever, Effect.forkScoped)
})

/** Serves until the scope closes; answers the TCP port (useful when 0 was asked for). */
export const serve = Effect.fn("Listeners.serve")(function*<E, R>(app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>, addresses: Addresses, most = mostConnections) {
  const listen = Effect.fnUntraced(function*(options: ListenOptions) {
    const agents = new Set<Duplex>()
    const serving = yield* Scope.make()
    // Agents stay connected for ever, and a server that closes waits for every connection: theirs have to end first.
    yield* Effect.addFinalizer((exit) => Effect.suspend(() => {
      agents.forEach((connection) => connection.destroy())
      return Scope.close(serving, exit)
    }))
    const node = createServer().on("upgrade", (_request, connection: Duplex) => {
      agents.add(connection)
      connection.once("close", () => agents.delete(connection))
    })
    node.maxConnections = most
    yield* sayDropped(node)
    const unread = boundUnread(node)
    const server = yield* NodeHttpServer.make(() => node, { ...options, gracefulShutdownTimeout: "2 seconds", websocket: { maxPayload: largestMessage } }).pipe(Scope.provide(serving))
    yield* server.serve(unread(contained(bounded(app)))).pipe(Scope.provide(serving))
    return server.address
  })
  const address = yield* listen(addresses.tcp)
  const { socket } = addresses
  if (socket !== undefined) {
    yield* Effect.promise(() => rm(socket, { force: true })) // left over by a killed process
    yield* listen({ path: socket })
    yield* Effect.promise(() => chmod(socket, 0o600))
  }
  return address
})
