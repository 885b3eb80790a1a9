/**
 * Agents' WebSockets as one transport of RPCs. Nothing that an agent sends is kept without bound, and nothing that it does not read: one
 * that goes too far loses its connection, with the reason in the close frame, the log and the metrics. Others do not notice.
 */
import { Clock, Deferred, Effect, Queue, type Scope } from "effect"
import type { HttpServerRequest } from "effect/http"
import { type RpcMessage, RpcSerialization, RpcServer } from "effect/rpc"
import { Socket } from "effect/socket"
import type { IncomingMessage } from "node:http"
import type { AgentId } from "../../domain/Ids.ts"
import type { AgentRow } from "../Lookups.ts"
import { Refusals } from "../Refusals.ts"
import { Intake, isRefusal, largestMessage, type Refusal } from "./Intake.ts"

/** Of one agent. The newest one counts; older ones that have not ended yet are few. */
const mostConnections = 4
/** Bytes that an agent has not read yet. */
const mostUnread = 64 << 20
/** What is to be sent together is cut when it is longer, so that an agent's limit is one for each message. */
export const longestChunk = 16 << 20

type Wire = IncomingMessage["socket"]
interface Connection { readonly send: (message: RpcMessage.FromServerEncoded) => Effect.Effect<void> }

export const make = Effect.gen(function*() {
  const refusals = yield* Refusals
  const disconnects = yield* Queue.make<number>()
  const connections = new Map<number, Connection>()
  const wires = new Map<AgentId, Set<Wire>>()
  let receive: (id: number, message: RpcMessage.FromClientEncoded) => Effect.Effect<void> = () => Effect.void
  let lastId = 0

  const protocol = yield* RpcServer.Protocol.make((write) => {
    receive = write
    return Effect.succeed({
      disconnects, clientIds: Effect.sync(() => new Set(connections.keys())), initialMessage: Effect.succeedNone, end: () => Effect.void,
      send: (id: number, message: RpcMessage.FromServerEncoded) => connections.get(id)?.send(message) ?? Effect.void,
      supportsAck: true, supportsTransferables: false, supportsSpanPropagation: false, supportsNotifications: false, codecFor: RpcSerialization.json.codecFor
    })
  })

  /** One too many ends the oldest. */
  const admit = (agent: AgentRow, wire: Wire): void => {
    const open = wires.get(agent.id) ?? new Set()
    wires.set(agent.id, open.add(wire))
    wire.once("close", () => { if (open.delete(wire) && open.size === 0) wires.delete(agent.id) })
    if (open.size > mostConnections) open.values().next().value!.destroy()
  }

  const serve = Effect.fnUntraced(function*(agent: AgentRow, request: HttpServerRequest.HttpServerRequest): Effect.fn.Return<void, Socket.SocketError, Scope.Scope> {
    const { socket: wire } = request.source as Partial<IncomingMessage>
    if (wire !== undefined) admit(agent, wire)
    const socket = yield* Effect.orDie(request.upgrade)
    const writer = yield* socket.writer
    const intake = new Intake(yield* Clock.currentTimeMillis)
    const refused = yield* Deferred.make<Refusal>()
    const id = lastId++
    const headers = Object.entries(request.headers)

    const write = (message: RpcMessage.FromServerEncoded): Effect.Effect<void> =>
      Effect.ignore(Effect.forEach(framesOf(message), writer.write, { discard: true })) // a connection that is gone is found out by who reads from it
    const send = (message: RpcMessage.FromServerEncoded) => Effect.suspend(() => {
      if (message._tag === "Exit") intake.answered(message.requestId)
      if (wire !== undefined && wire.writableLength > mostUnread) return Deferred.succeed(refused, { code: 1008, reason: "too much that it does not read" })
      return notUnderstood(message) ? Effect.andThen(refusals.note(agent.name, "call", `Agent "${agent.name}" sent a call that is not understood; it was refused.`), write(message)) : write(message)
    })
    yield* Effect.acquireRelease(Effect.sync(() => connections.set(id, { send })), () => Effect.andThen(Effect.sync(() => connections.delete(id)), Queue.offer(disconnects, id)))

    const read = Effect.gen(function*() {
      const { pull } = yield* socket.reader
      while (true) {
        const frames = yield* pull
        const now = yield* Clock.currentTimeMillis
        for (const frame of frames) {
          const message = intake.take(frame, now)
          if (isRefusal(message)) return message
          yield* receive(id, message._tag === "Request" ? { ...message, headers } : message)
        }
      }
    }).pipe(Effect.catchReason("SocketError", "SocketReadError", ({ cause }) => Effect.succeed(brokenBy(cause))))

    const refusal = yield* Effect.raceFirst(read, Deferred.await(refused))
    yield* refusals.note(agent.name, "connection", `The connection of agent "${agent.name}" is closed. It sent or caused ${refusal.reason}.`)
    yield* writer.write(new Socket.CloseEvent(refusal.code, refusal.reason))
  }, Effect.scoped, Effect.catchReason("SocketError", "SocketCloseError", () => Effect.void))

  return { protocol, serve }
})

export const framesOf = (message: RpcMessage.FromServerEncoded): ReadonlyArray<string> => {
  const text = JSON.stringify(message)
  if (message._tag !== "Chunk" || message.values.length === 1 || text.length <= longestChunk) return [text]
  const [first, ...rest] = message.values
  const middle = rest.length >> 1
  const [second, ...others] = rest.slice(middle)
  return [...framesOf({ ...message, values: [first, ...rest.slice(0, middle)] }), ...framesOf({ ...message, values: [second, ...others] })]
}

/** An unknown call, or one whose payload is not what it has to be: the handler was never asked. */
const notUnderstood = (message: RpcMessage.FromServerEncoded): boolean =>
  message._tag === "Exit" && message.exit._tag === "Failure" && message.exit.cause.some(({ _tag }) => _tag === "Die")

/** The frames themselves are wrong; the peer has been told the code. */
const brokenBy = (cause: unknown): Refusal => {
  const { error } = cause as { readonly error?: NodeJS.ErrnoException }
  return error?.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH"
    ? { code: 1009, reason: `a message of more than ${largestMessage} bytes` }
    : { code: 1002, reason: `what is not WebSocket's protocol: ${error?.message ?? "unknown"}`.slice(0, 120) }
}
