/**
 * One connection to meshd (docs/protocol.md, "Agent to meshd"). Every call is typed, decoded and bounded in time; when the
 * connection ends, calls under way fail with `MeshdUnavailable` and so does `closed`. It never reconnects by itself.
 */
import { Context, Deferred, Effect, Queue, Schema, type Scope, Semaphore, Stream } from "effect"
import { createConnection } from "node:net"
import type { Duplex } from "node:stream"
import type { LocalNodeId, NetworkId, SandboxId } from "../../domain/Ids.ts"
import { Applied, Flow, FlowCounts, Forward, ForwardState, Hello, MeshdEvent, MeshdStatus, NodeStatus, type Plan, type PlanDelta, ProbeResult, protocolVersion, Refusals, type Target } from "../../protocol/meshd/Messages.ts"
import { Lines } from "./lines.ts"

export class MeshdUnavailable extends Schema.TaggedError<MeshdUnavailable>()("MeshdUnavailable", { message: Schema.String }) {}
/** meshd's own refusal, by its code (`generation_mismatch`, `needs_key`, `bad_request`, ...), or `timeout`. */
export class MeshdRefused extends Schema.TaggedError<MeshdRefused>()("MeshdRefused", { method: Schema.String, code: Schema.String, message: Schema.String }) {}
export type MeshdFailure = MeshdUnavailable | MeshdRefused

export interface JoinRequest {
  readonly network: NetworkId; readonly hostname: string; readonly controlUrl: string; readonly authKey?: string
  readonly udpPort?: number; readonly transport: "auto" | "netstack"
}
export interface ProbeRequest { readonly network: NetworkId; readonly sandbox?: SandboxId | LocalNodeId; readonly alias: string; readonly port: number; readonly target: Target
  /** With both, it starts inside the sandbox's namespace. */
  readonly name?: string; readonly address?: string
  /** How long to wait for the app to speak first. */
  readonly firstByteMs?: number
}

export interface MeshdClient {
  readonly hello: Effect.Effect<Hello, MeshdFailure>
  readonly subscribe: Effect.Effect<void, MeshdFailure>
  readonly applyPlan: (generation: number, plan: Plan) => Effect.Effect<Applied, MeshdFailure>
  readonly applyDelta: (generation: number, base: number, delta: PlanDelta) => Effect.Effect<Applied, MeshdFailure>
  readonly join: (request: JoinRequest) => Effect.Effect<NodeStatus, MeshdFailure>
  readonly leave: (network: NetworkId, forget: boolean) => Effect.Effect<void, MeshdFailure>
  readonly status: Effect.Effect<MeshdStatus, MeshdFailure>
  readonly flows: (limit: number) => Effect.Effect<ReadonlyArray<Flow>, MeshdFailure>
  /** All that are open, permit by permit: of so many permits. */
  readonly flowCounts: (limit: number) => Effect.Effect<FlowCounts, MeshdFailure>
  /** Since the call before. */
  readonly refusals: Effect.Effect<Refusals, MeshdFailure>
  readonly probe: (request: ProbeRequest) => Effect.Effect<ProbeResult, MeshdFailure>
  readonly connect: (sandbox: SandboxId, port: number) => Effect.Effect<{ readonly micros: number }, MeshdFailure>
  readonly listen: (forward: Forward) => Effect.Effect<ForwardState, MeshdFailure>
  /** Resets its connections. One that is not there is no error. */
  readonly unlisten: (id: string) => Effect.Effect<void, MeshdFailure>
  readonly forwards: Effect.Effect<ReadonlyArray<ForwardState>, MeshdFailure>
  /** The round trip to a peer, over the path in use. */
  readonly ping: (network: NetworkId, address: string) => Effect.Effect<{ readonly micros: number }, MeshdFailure>
  /** Bounded: when nobody reads, the oldest go. */
  readonly events: Stream.Stream<MeshdEvent>
  readonly closed: Effect.Effect<never, MeshdUnavailable>
}

/** The code of a call that meshd did not answer in time. */
export const noAnswer = "no_answer"

const callsAtOnce = 256
const eventsKept = 4096
const seconds = (n: number) => n * 1000
const timeouts = { short: seconds(5), apply: seconds(20), join: seconds(35), probe: seconds(10) }

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
      Effect.timeoutOrElse({ duration: timeoutMs, orElse: () => Effect.fail(new MeshdRefused({ method, code: noAnswer, message: `no answer within ${timeoutMs} ms` })) }),
      Effect.flatMap((answer) => Schema.decodeUnknownEffect(result)(answer).pipe(
        Effect.mapError((error) => new MeshdRefused({ method, code: "bad_response", message: String(error) }))))
    )

  /** One whose answer does not come in time may still come into force, after a later one: the connection ends, and the next one's plan stands. */
  const apply = (params: { readonly generation: number; readonly base: number | null; readonly plan: Plan | PlanDelta }) => call("apply", params, Applied, timeouts.apply).pipe(
    Effect.tapError((error) => Effect.sync(() => { if (error._tag === "MeshdRefused" && error.code === noAnswer) socket.destroy() })))

  return {
    hello: call("hello", { protocol: protocolVersion }, Hello),
    subscribe: call("subscribe", {}, Schema.Unknown),
    applyPlan: (generation, plan) => apply({ generation, base: null, plan }),
    applyDelta: (generation, base, plan) => apply({ generation, base, plan }),
    join: (request) => call("join", request, NodeStatus, timeouts.join),
    leave: (network, forget) => call("leave", { network, forget }, Schema.Unknown, timeouts.probe),
    status: call("status", {}, MeshdStatus),
    flows: (limit) => call("flows", { limit }, Schema.Struct({ flows: Schema.Array(Flow) })).pipe(Effect.map((answer) => answer.flows)),
    flowCounts: (limit) => call("flowCounts", { limit }, FlowCounts),
    refusals: call("refusals", {}, Refusals),
    probe: (request) => call("probe", request, ProbeResult, timeouts.probe),
    connect: (sandbox, port) => call("connect", { sandbox, port }, Schema.Struct({ micros: Schema.Number }), timeouts.probe),
    listen: (forward) => call("listen", forward, ForwardState),
    unlisten: (id) => call("unlisten", { id }, Schema.Unknown),
    forwards: call("forwards", {}, Schema.Struct({ forwards: Schema.Array(ForwardState) })).pipe(Effect.map((answer) => answer.forwards)),
    ping: (network, address) => call("ping", { network, address }, Schema.Struct({ micros: Schema.Number })),
    events: Stream.fromQueue(events),
    closed: Deferred.await(lost)
  }
})

/** How a Unix socket is dialled; the simulation has streams of its own. They tell "connect" as sockets do. */
export const Dial = Context.Reference<(path: string) => Duplex>("gstacks/agent/MeshdDial", { defaultValue: () => (path) => createConnection(path) })

const open = (path: string): Effect.Effect<Duplex, MeshdUnavailable, Scope.Scope> => Effect.acquireRelease(
  Effect.flatMap(Dial, (dial) => Effect.callback<Duplex, MeshdUnavailable>((resume) => {
    const socket = dial(path)
    const fail = (error: Error) => resume(Effect.fail(new MeshdUnavailable({ message: `meshd does not answer at ${path} (${error.message}); is it running?` })))
    socket.once("error", fail)
    socket.once("connect", () => { socket.off("error", fail); resume(Effect.succeed(socket)) })
    return Effect.sync(() => { socket.destroy() })
  })),
  (socket) => Effect.sync(() => { socket.destroy() })
)
