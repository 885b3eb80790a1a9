/**
 * One connection to meshd (docs/protocol.md, "Agent to meshd"). Every call is typed, decoded and bounded in time; when the
 * connection ends, calls under way fail with `MeshdUnavailable` and so does `closed`. It never reconnects by itself.
 */
import { Deferred, Effect, Queue, Schema, type Scope, Semaphore, Stream } from "effect"
import { createConnection, type Socket } from "node:net"
import type { NetworkId, SandboxId } from "../../domain/Ids.ts"
import { Applied, Flow, Hello, MeshdEvent, MeshdStatus, NodeStatus, type Plan, type PlanDelta, ProbeResult, protocolVersion, type Target } from "../../protocol/meshd/Messages.ts"
import { Lines } from "./lines.ts"

export class MeshdUnavailable extends Schema.TaggedError<MeshdUnavailable>()("MeshdUnavailable", { message: Schema.String }) {}
/** meshd's own refusal, by its code (`generation_mismatch`, `needs_key`, `bad_request`, ...), or `timeout`. */
export class MeshdRefused extends Schema.TaggedError<MeshdRefused>()("MeshdRefused", { method: Schema.String, code: Schema.String, message: Schema.String }) {}
export type MeshdFailure = MeshdUnavailable | MeshdRefused

export interface JoinRequest {
  readonly network: NetworkId; readonly hostname: string; readonly controlUrl: string; readonly authKey?: string
  readonly udpPort?: number; readonly transport: "auto" | "netstack"
}
export interface ProbeRequest { readonly network: NetworkId; readonly sandbox?: SandboxId; readonly alias: string; readonly port: number; readonly target: Target }

export interface MeshdClient {
  readonly hello: Effect.Effect<Hello, MeshdFailure>
  readonly subscribe: Effect.Effect<void, MeshdFailure>
  readonly applyPlan: (generation: number, plan: Plan) => Effect.Effect<Applied, MeshdFailure>
  readonly applyDelta: (generation: number, base: number, delta: PlanDelta) => Effect.Effect<Applied, MeshdFailure>
  readonly join: (request: JoinRequest) => Effect.Effect<NodeStatus, MeshdFailure>
  readonly leave: (network: NetworkId, forget: boolean) => Effect.Effect<void, MeshdFailure>
  readonly status: Effect.Effect<MeshdStatus, MeshdFailure>
  readonly flows: (limit: number) => Effect.Effect<ReadonlyArray<Flow>, MeshdFailure>
  readonly probe: (request: ProbeRequest) => Effect.Effect<ProbeResult, MeshdFailure>
  readonly connect: (sandbox: SandboxId, port: number) => Effect.Effect<{ readonly micros: number }, MeshdFailure>
  /** Bounded: when nobody reads, the oldest go. */
  readonly events: Stream.Stream<MeshdEvent>
  readonly closed: Effect.Effect<never, MeshdUnavailable>
}

const callsAtOnce = 256
const eventsKept = 4096
const seconds = (n: number) => n * 1000
const timeouts = { short: seconds(5), apply: seconds(20), join: seconds(35), probe: seconds(8) }

const Response = Schema.Union([
  Schema.Struct({ id: Schema.Int, result: Schema.Unknown }),
  Schema.Struct({ id: Schema.Int, error: Schema.Struct({ code: Schema.String, message: Schema.String }) })
])
const isResponse = Schema.is(Response)
const isEvent = Schema.is(MeshdEvent)
type Response = typeof Response.Type

/** Connects, and disconnects when the scope closes. */
export const connectMeshd = Effect.fnUntraced(function*(path: string): Effect.fn.Return<MeshdClient, MeshdUnavailable, Scope.Scope> {
  const lost = yield* Deferred.make<never, MeshdUnavailable>()
  const events = yield* Queue.sliding<MeshdEvent>(eventsKept)
  const pending = new Map<number, (response: Response) => void>()
  const slots = yield* Semaphore.make(callsAtOnce)
  let lastId = 0

  const socket = yield* open(path)
  const lines = new Lines()
  const lose = (why: string) => Deferred.doneUnsafe(lost, Effect.fail(new MeshdUnavailable({ message: `meshd at ${path}: ${why}` })))
  const receive = (line: string): void => {
    const message: unknown = JSON.parse(line)
    if (isResponse(message)) pending.get(message.id)?.(message)
    else if (isEvent(message)) Queue.offerUnsafe(events, message)
  }
  socket.on("data", (chunk) => {
    try {
      for (const line of lines.push(chunk)) receive(line)
    } catch (error) {
      lose(`sent what is not its protocol (${error instanceof Error ? error.message : String(error)})`)
      socket.destroy()
    }
  })
  socket.on("error", (error) => lose(error.message))
  socket.on("close", () => lose("the connection ended"))

  const exchange = (method: string, params: unknown): Effect.Effect<unknown, MeshdFailure> => Effect.callback<unknown, MeshdFailure>((resume) => {
    const id = ++lastId
    pending.set(id, (response) => {
      pending.delete(id)
      resume("error" in response ? Effect.fail(new MeshdRefused({ method, ...response.error })) : Effect.succeed(response.result))
    })
    socket.write(`${JSON.stringify({ id, method, params })}\n`)
    return Effect.sync(() => { pending.delete(id) })
  }).pipe(Effect.raceFirst(Deferred.await(lost)))

  const call = <A>(method: string, params: unknown, result: Schema.Codec<A, any>, timeoutMs = timeouts.short): Effect.Effect<A, MeshdFailure> =>
    exchange(method, params).pipe(
      slots.withPermit,
      Effect.timeoutOrElse({ duration: timeoutMs, orElse: () => Effect.fail(new MeshdRefused({ method, code: "timeout", message: `no answer within ${timeoutMs} ms` })) }),
      Effect.flatMap((answer) => Schema.decodeUnknownEffect(result)(answer).pipe(
        Effect.mapError((error) => new MeshdRefused({ method, code: "bad_response", message: String(error) }))))
    )

  return {
    hello: call("hello", { protocol: protocolVersion }, Hello),
    subscribe: call("subscribe", {}, Schema.Unknown),
    applyPlan: (generation, plan) => call("apply", { generation, base: null, plan }, Applied, timeouts.apply),
    applyDelta: (generation, base, plan) => call("apply", { generation, base, plan }, Applied, timeouts.apply),
    join: (request) => call("join", request, NodeStatus, timeouts.join),
    leave: (network, forget) => call("leave", { network, forget }, Schema.Unknown, timeouts.probe),
    status: call("status", {}, MeshdStatus),
    flows: (limit) => call("flows", { limit }, Schema.Struct({ flows: Schema.Array(Flow) })).pipe(Effect.map((answer) => answer.flows)),
    probe: (request) => call("probe", request, ProbeResult, timeouts.probe),
    connect: (sandbox, port) => call("connect", { sandbox, port }, Schema.Struct({ micros: Schema.Number }), timeouts.probe),
    events: Stream.fromQueue(events),
    closed: Deferred.await(lost)
  }
})

const open = (path: string): Effect.Effect<Socket, MeshdUnavailable, Scope.Scope> => Effect.acquireRelease(
  Effect.callback<Socket, MeshdUnavailable>((resume) => {
    const socket = createConnection(path)
    const fail = (error: Error) => resume(Effect.fail(new MeshdUnavailable({ message: `meshd does not answer at ${path} (${error.message}); is it running?` })))
    socket.once("error", fail)
    socket.once("connect", () => { socket.off("error", fail); resume(Effect.succeed(socket)) })
    return Effect.sync(() => { socket.destroy() })
  }),
  (socket) => Effect.sync(() => { socket.destroy() })
)
