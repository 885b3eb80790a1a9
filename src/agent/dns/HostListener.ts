/**
 * The host's own DNS listener (`GLOBALSTACKS_AGENT_MESH_DNS_ADDR`, UDP and TCP): the names of every network that this agent
 * takes part in, answered as meshd answers inside sandboxes. It never forwards a question.
 */
import { Context, Deferred, Effect, Layer, Queue, Schema, type Scope, Stream } from "effect"
import { createSocket, type Socket as UdpSocket } from "node:dgram"
import { createServer, type Server, type Socket } from "node:net"
import type { DnsListenerEvent } from "../../actors/machines/dnsListener.ts"
import { type Address, Config } from "../Config.ts"
import { Knowledge } from "../Knowledge.ts"
import { answer, type ReadyZone, readyZone } from "./answer.ts"
import { compileZone } from "./zone.ts"

export class CannotListen extends Schema.TaggedError<CannotListen>()("CannotListen", { message: Schema.String }) {}

export class HostListener extends Context.Service<HostListener, {
  /** Bound while it is read: says so, then stays silent, and fails when a socket does. */
  readonly listen: Stream.Stream<DnsListenerEvent, CannotListen>
}>()("gstacks/agent/HostListener") {
  static readonly layer = Layer.effect(HostListener, Effect.gen(function*() {
    const { dns } = yield* Config
    const zone = zoneOf(yield* Knowledge)
    return HostListener.of({
      listen: Stream.callback<DnsListenerEvent, CannotListen>((queue) => Effect.gen(function*() {
        const broken = yield* Deferred.make<never, CannotListen>()
        const fail = (error: Error) => Deferred.doneUnsafe(broken, Effect.fail(cannot(dns, error)))
        const udp = yield* bindUdp(dns)
        udp.on("error", fail)
        udp.on("message", (query, { address, port }) => {
          const response = port === 0 ? undefined : answer(zone(), query, true) // nobody can be answered at port 0: sending throws
          if (response !== undefined) udp.send(response, port, address, () => {}) // who cannot be reached ends nothing here
        })
        const port = udp.address().port
        const tcp = yield* bindTcp({ ...dns, port }, (socket) => serveTcp(socket, (query) => answer(zone(), query, false)))
        tcp.on("error", fail)
        Queue.offerUnsafe(queue, { type: "dns.bound", address: `${dns.host}:${port}` })
        return yield* Deferred.await(broken)
      }))
    })
  }))
}

const cannot = ({ host, port }: Address, error: Error): CannotListen => new CannotListen({
  message: `cannot serve DNS at ${host}:${port} (${error.message}); free the address or set GLOBALSTACKS_AGENT_MESH_DNS_ADDR`
})

/** Compiled anew only when a question comes after a change. */
const zoneOf = (knowledge: Knowledge["Service"]): () => ReadyZone => {
  let of: unknown
  let zone: ReadyZone | undefined
  return () => {
    const plan = knowledge.plan()
    if (zone === undefined || of !== plan) {
      zone = readyZone(compileZone("host", [...knowledge.topologies.values()].filter(({ networkId }) => knowledge.takesPart(networkId))))
      of = plan
    }
    return zone
  }
}

const bindUdp = (at: Address): Effect.Effect<UdpSocket, CannotListen, Scope.Scope> => Effect.acquireRelease(
  Effect.callback<UdpSocket, CannotListen>((resume) => {
    const socket = createSocket({ type: at.host.includes(":") ? "udp6" : "udp4", lookup: (host, _, found) => found(null, host, 4) }) // addresses only: no look-up
    socket.once("error", (error) => { socket.close(); resume(Effect.fail(cannot(at, error))) })
    socket.bind(at.port, at.host, () => { socket.removeAllListeners("error"); resume(Effect.succeed(socket)) })
  }),
  (socket) => Effect.sync(() => { socket.removeAllListeners(); socket.close() }))

const bindTcp = (at: Address, serve: (socket: Socket) => void): Effect.Effect<Server, CannotListen, Scope.Scope> => Effect.suspend(() => {
  const sockets = new Set<Socket>()
  return Effect.acquireRelease(
    Effect.callback<Server, CannotListen>((resume) => {
      const server = createServer((socket) => {
        sockets.add(socket)
        socket.on("close", () => sockets.delete(socket))
        serve(socket)
      })
      server.maxConnections = connectionsAtOnce
      server.once("error", (error) => resume(Effect.fail(cannot(at, error))))
      server.listen(at.port, at.host, () => { server.removeAllListeners("error"); resume(Effect.succeed(server)) })
    }),
    (server) => Effect.sync(() => {
      server.close()
      for (const socket of sockets) socket.destroy()
    }))
})

const connectionsAtOnce = 64
const idleMs = 10_000
const largestQuery = 4096
/** Of answers that a client has not taken. */
const largestBacklog = 64 * 1024

/** Length-prefixed queries, several a connection (RFC 7766). */
const serveTcp = (socket: Socket, respond: (query: Buffer) => Buffer | undefined): void => {
  let received: Buffer = Buffer.alloc(0)
  socket.setTimeout(idleMs, () => socket.destroy())
  socket.on("error", () => socket.destroy())
  socket.on("data", (bytes) => {
    received = Buffer.concat([received, bytes])
    while (received.length >= 2) {
      const length = received.readUInt16BE(0)
      if (length > largestQuery) return void socket.destroy()
      if (received.length < 2 + length) return
      const response = respond(received.subarray(2, 2 + length))
      received = received.subarray(2 + length)
      if (response === undefined) return void socket.destroy()
      const prefix = Buffer.alloc(2)
      prefix.writeUInt16BE(response.length)
      socket.write(Buffer.concat([prefix, response]))
      if (socket.writableLength > largestBacklog) return void socket.destroy()
    }
  })
}
