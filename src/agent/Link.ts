/**
 * One session with the control plane: dial its WebSocket with the agent's credential, attach, serve what it asks
 * (`AgentRpcs`), and tell when things change. The stream ends with `session.lost`; who reconnects, and when, is the
 * machine's to say.
 */
import { Cause, Clock, Context, Deferred, Effect, type Exit, Layer, Queue, Schema, type Scope, Stream } from "effect"
import { RpcClient, type RpcMessage, RpcSerialization, RpcServer } from "effect/rpc"
import { Socket } from "effect/socket"
import type { LinkEvent } from "../actors/machines/agentLink.ts"
import { AgentRpcs } from "../protocol/agent/AgentRpcs.ts"
import { ControlRpcs, CredentialRefused } from "../protocol/agent/ControlRpcs.ts"
import { Config } from "./Config.ts"
import { Control, type ControlClient, untilStored } from "./Control.ts"
import { Credential } from "./Credential.ts"
import { Freshness } from "./Freshness.ts"
import { AgentHandlers } from "./AgentHandlers.ts"
import { Host } from "./Host.ts"
import { Sandboxes } from "./Sandboxes.ts"

export class Link extends Context.Service<Link, {
  readonly session: Stream.Stream<LinkEvent>
}>()("gstacks/agent/Link") {
  static readonly layer = Layer.effect(Link, Effect.suspend(() => make()))
}

/** The connection is of no use any more, though it is open. */
type Lost = CredentialRefused | NotSynchronized

class NotSynchronized extends Schema.TaggedError<NotSynchronized>()("NotSynchronized", { message: Schema.String }) {}

const notSynchronized = (cause: Cause.Cause<unknown>): Lost => {
  const error = Cause.squash(cause)
  return error instanceof CredentialRefused ? error : new NotSynchronized({ message: `which sandboxes ought to run here is not known: ${reasonOf(cause)}` })
}

class Silence extends Schema.TaggedError<Silence>()("Silence", { message: Schema.String }) {}

/** What could not be written down, for want of room perhaps, is asked for anew. */
const reconcileAgain = "5 seconds"
/**
 * The control plane asks something every few seconds. The connection's own pings would notice most of what goes silent, but they
 * compare wall clocks: on a host whose clock was set back they notice nothing until it has caught up.
 */
const longestSilence = "30 seconds"

const make = Effect.fnUntraced(function*() {
  const config = yield* Config
  const credential = yield* Credential
  const control = yield* Control
  const freshness = yield* Freshness
  const host = yield* Host
  const sandboxes = yield* Sandboxes
  const webSocket = yield* Socket.WebSocketConstructor
  const handlers = yield* Layer.build(AgentHandlers)

  const run = Effect.fnUntraced(function*(emit: (event: LinkEvent) => void) {
    const { credential: bearer } = yield* credential.ensure
    const protocol = yield* Layer.build(socketProtocol(config.controlUrl, bearer)).pipe(Effect.provideService(Socket.WebSocketConstructor, webSocket))
    const client: ControlClient = yield* RpcClient.make(ControlRpcs).pipe(Effect.provideContext(protocol))
    const lost = yield* Deferred.make<never, Lost>()
    const reply = (message: Schema.Json) => Clock.currentTimeMillis.pipe(
      Effect.flatMap((sentAt) => Effect.andThen(client.Reply({ message }), freshness.answered(sentAt))),
      Effect.catchTag("CredentialRefused", (error) => Deferred.fail(lost, error)), Effect.ignore)
    const toAgent = yield* serveReverse(reply, handlers)
    const dialledAt = yield* Clock.currentTimeMillis
    const attached = client.Attach({ facts: yield* host.facts, sandboxes: yield* sandboxes.statuses })
    let first = true, isHeard = true
    const follow = Stream.runForEach(attached, (message) => Effect.gen(function*() {
      isHeard = true
      if (first) {
        first = false
        yield* opened(emit, client, dialledAt, lost)
      }
      yield* toAgent(message as unknown as RpcMessage.FromClientEncoded)
    }))
    const silence = Effect.gen(function*() {
      while (isHeard) {
        isHeard = false
        yield* Effect.sleep(longestSilence)
      }
      return yield* new Silence({ message: `nothing was heard of it for ${longestSilence}` })
    })
    return yield* Effect.raceAllFirst([follow, Deferred.await(lost), silence])
  }, Effect.scoped)

  const opened = Effect.fnUntraced(function*(emit: (event: LinkEvent) => void, client: ControlClient, dialledAt: number, lost: Deferred.Deferred<never, Lost>) {
    control.client = client
    yield* Effect.addFinalizer(() => Effect.sync(() => { if (control.client === client) control.client = undefined }))
    yield* freshness.inTouch(dialledAt)
    emit({ type: "session.opened" })
    const reconcile = sandboxes.reconcile(untilStored(client.DesiredSandboxes()))
    const synchronize = Effect.gen(function*() {
      yield* sandboxes.reportAll
      let isWhole = yield* reconcile
      emit({ type: "session.synchronized" })
      while (!isWhole) isWhole = yield* Effect.delay(reconcile, reconcileAgain)
    })
    yield* Effect.forkScoped(Effect.catchCause(synchronize, (cause) => Deferred.fail(lost, notSynchronized(cause))))
  })

  const session = Stream.callback<LinkEvent>((queue) => run((event) => { Queue.offerUnsafe(queue, event) }).pipe(
    Effect.exit,
    Effect.flatMap((exit) => {
      const reason = exit._tag === "Success" ? "the control plane ended the session" : reasonOf(exit.cause)
      return Queue.offer(queue, { type: "session.lost", reason, refused: isRefusal(exit) })
    })), { bufferSize: 64 })
  return Link.of({ session })
})

const socketProtocol = (controlUrl: string, bearer: string) => RpcClient.layerProtocolSocket({ pingInterval: "3 seconds", pingTimeout: "6 seconds" }).pipe(
  Layer.provide(RpcSerialization.layerJson),
  Layer.provide(Socket.layerWebSocket(`${controlUrl.replace(/^http/, "ws")}/api/v1/agent`, { headers: { authorization: `Bearer ${bearer}` } })))

/** The second RpcGroup over the same connection: its requests arrive in `Attach`, its answers leave by `Reply`. */
const serveReverse = Effect.fnUntraced(function*(reply: (message: Schema.Json) => Effect.Effect<void>, handlers: Context.Context<any>): Effect.fn.Return<(message: RpcMessage.FromClientEncoded) => Effect.Effect<void>, never, Scope.Scope> {
  const disconnects = yield* Queue.make<number>()
  let receive: (message: RpcMessage.FromClientEncoded) => Effect.Effect<void> = () => Effect.void
  const protocol = yield* RpcServer.Protocol.make((write) => {
    receive = (message) => write(0, message)
    return Effect.succeed({
      disconnects, clientIds: Effect.succeed(new Set([0])), initialMessage: Effect.succeedNone, end: () => Effect.void,
      // The server sends uninterruptibly, and a connection that has gone silent never says that it took the answer.
      send: (_id: number, message: RpcMessage.FromServerEncoded) => Effect.interruptible(reply(message as unknown as Schema.Json)),
      supportsAck: true, supportsTransferables: false, supportsSpanPropagation: true, supportsNotifications: false,
      codecFor: RpcSerialization.json.codecFor
    })
  })
  yield* RpcServer.make(AgentRpcs).pipe(Effect.provideService(RpcServer.Protocol, protocol), Effect.provideContext(handlers), Effect.forkScoped)
  return (message) => receive(message)
})

/** At the upgrade it is HTTP's 401; on an open connection, whose agent was removed meanwhile, a typed failure. */
const isRefusal = (exit: Exit.Exit<unknown, unknown>): boolean => {
  if (exit._tag === "Success") return false
  const error = Cause.squash(exit.cause)
  return error instanceof CredentialRefused || /\b401\b/.test(reasonOf(exit.cause))
}

/** The innermost reason: `connect ECONNREFUSED ...` or `Unexpected server response: 401` rather than that opening failed. */
const reasonOf = (cause: Cause.Cause<unknown>): string => {
  const seen: Array<string> = []
  for (let error: unknown = Cause.squash(cause); typeof error === "object" && error !== null && seen.length < 5;) {
    const { message, reason, error: inner, cause: deeper } = error as Partial<Record<"message" | "reason" | "error" | "cause", unknown>>
    seen.push(typeof message === "string" ? message : "")
    error = reason ?? inner ?? deeper
  }
  return seen.findLast((message) => message !== "") ?? "no reason given"
}
