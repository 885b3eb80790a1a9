/**
 * Keeps meshd doing what the agent knows. `session` is one connection's life: hello, the whole plan, then deltas, one apply
 * at a time; what changes while one is under way goes into the next. `enforce` answers when a plan computed after the call
 * is in force. A sandbox that meshd could not serve does not hold the others up; it is tried again, slower each time.
 */
import { Context, Deferred, Effect, Layer, Option, PubSub, Queue, Stream } from "effect"
import type { NetworkId, SourceId } from "../../domain/Ids.ts"
import { monotonicNanos } from "../../domain/monotonic.ts"
import type { Hello, MeshdEvent, NodeStatus, Plan } from "../../protocol/meshd/Messages.ts"
import { diffPlans, isEmpty } from "../plan/planDiff.ts"
import { type Asked, type ClosedHere, ClosedStreams } from "./ClosedStreams.ts"
import { Desired } from "./Desired.ts"
import { connectMeshd, type JoinRequest, type MeshdClient, type MeshdFailure, MeshdUnavailable } from "./MeshdClient.ts"

/** What the machine `dataPlane` lives on. */
export type DataPlaneEvent =
  | { readonly type: "meshd.connected"; readonly pid: number; readonly instance: string }
  | { readonly type: "meshd.applied"; readonly generation: number; readonly failedSandboxes: number }
  | { readonly type: "meshd.rejected"; readonly reason: string }

/** What meshd tells, and whether it is there to tell. */
export type DataPlaneNews = MeshdEvent | { readonly event: "connected" } | { readonly event: "lost" }

/** What it tells of streams. */
export type FlowNews = Extract<DataPlaneNews, { readonly event: "flow" | "dropped" | "connected" }>

export interface SandboxResult { readonly ok: boolean; readonly error: string | undefined }
export interface InForce { readonly plan: Plan; readonly generation: number }

export class DataPlane extends Context.Service<DataPlane, {
  readonly session: Stream.Stream<DataPlaneEvent, MeshdFailure>
  /** Waits for as long as it takes: callers bound it, and find the reason in `problem`. */
  readonly enforce: Effect.Effect<InForce>
  /** Why the latest plan is not in force. */
  readonly problem: Effect.Effect<string | undefined>
  readonly inForce: Effect.Effect<InForce | undefined>
  /** What meshd last said of a sandbox; undefined when it was never told of it. */
  readonly sandbox: (id: SourceId) => Effect.Effect<SandboxResult | undefined>
  readonly node: (id: NetworkId) => Effect.Effect<NodeStatus | undefined>
  readonly join: (request: JoinRequest) => Effect.Effect<NodeStatus, MeshdFailure>
  /** The streams that new versions of the network have closed, beyond what the control plane has acknowledged to know. */
  readonly tellClosed: (id: NetworkId, asked: Asked, acknowledged?: number) => Effect.Effect<ClosedHere | undefined>
  /** Ends the network's node and its state. */
  readonly leave: (id: NetworkId) => Effect.Effect<void, MeshdFailure>
  readonly meshd: Effect.Effect<MeshdClient, MeshdUnavailable>
  readonly hello: Effect.Effect<Hello | undefined>
  /** All but flows, of which there may be thousands a second. */
  readonly events: Stream.Stream<DataPlaneNews>
  readonly flowNews: Stream.Stream<FlowNews>
}>()("gstacks/agent/DataPlane") {
  static readonly layerNoDeps = Layer.effect(DataPlane, Effect.suspend(() => make()))
  static readonly layer = Layer.provide(DataPlane.layerNoDeps, Desired.layer)
}

const firstRetryMs = 500
const lastRetryMs = 30_000

interface Waiter { readonly revision: number; readonly done: Deferred.Deferred<InForce> }
interface Connection { readonly client: MeshdClient; readonly hello: Hello }

const make = Effect.fnUntraced(function*() {
  const desired = yield* Desired
  const events = yield* PubSub.sliding<DataPlaneNews>(4096)
  const flowNews = yield* PubSub.sliding<FlowNews>(16_384)
  const wake = yield* Queue.sliding<void>(1)
  const nodes = new Map<NetworkId, NodeStatus>()
  const results = new Map<SourceId, SandboxResult>()
  const closed = new ClosedStreams()
  let waiters: Array<Waiter> = []
  let wanted = 0
  let connection: Connection | undefined
  let inForce: InForce | undefined
  let problem: string | undefined = "meshd has not been reached yet"

  const enforce = Effect.suspend(() => {
    const waiter: Waiter = { revision: ++wanted, done: Deferred.makeUnsafe() }
    waiters.push(waiter)
    Queue.offerUnsafe(wake, undefined)
    return Deferred.await(waiter.done).pipe(Effect.onInterrupt(() => Effect.sync(() => { waiters = waiters.filter((other) => other !== waiter) })))
  })
  const confirm = (revision: number, now: InForce): void => {
    inForce = now
    problem = undefined
    for (const waiter of waiters) if (waiter.revision <= revision) Deferred.doneUnsafe(waiter.done, Effect.succeed(now))
    waiters = waiters.filter((waiter) => waiter.revision > revision)
  }
  const failedSandboxes = (): number => [...results.values()].filter((result) => !result.ok).length

  /** Brings the plan of now into force once; undefined when it already is. */
  const applyOnce = Effect.fnUntraced(function*({ client, hello }: Connection, retry: boolean) {
    const revision = wanted
    const plan = desired.plan()
    const base = inForce
    const delta = base === undefined ? undefined : plan === base.plan ? {} : diffPlans(base.plan, plan)
    if (base !== undefined && delta !== undefined && isEmpty(delta) && !retry) {
      confirm(revision, { ...base, plan })
      return undefined
    }
    const generation = (base?.generation ?? hello.generation) + 1
    const applied = yield* base === undefined || delta === undefined ? client.applyPlan(generation, plan) : client.applyDelta(generation, base.generation, delta)
    closed.note(applied, plan, yield* monotonicNanos)
    const listed = new Set<SourceId>(plan.sandboxes.map((sandbox) => sandbox.id))
    for (const id of results.keys()) if (!listed.has(id)) results.delete(id)
    for (const id of listed) if (!results.has(id)) results.set(id, { ok: true, error: undefined })
    for (const { id, ok, error } of applied.sandboxes) if (listed.has(id)) results.set(id, { ok, error })
    confirm(revision, { plan, generation: applied.generation })
    return applied
  })

  const applyForever = Effect.fnUntraced(function*(current: Connection, emit: (event: DataPlaneEvent) => void) {
    let retryMs = firstRetryMs
    for (let retry = false; ;) {
      const outcome = yield* Effect.result(applyOnce(current, retry))
      if (outcome._tag === "Success") {
        if (outcome.success !== undefined) emit({ type: "meshd.applied", generation: outcome.success.generation, failedSandboxes: failedSandboxes() })
        retry = false
      } else if (outcome.failure._tag === "MeshdUnavailable") {
        return yield* outcome.failure
      } else {
        inForce = undefined // whatever meshd holds now, the whole plan replaces it
        if (outcome.failure.code === "generation_mismatch") continue
        problem = `meshd refused the plan: ${outcome.failure.message}`
        emit({ type: "meshd.rejected", reason: problem })
      }
      const troubled = inForce === undefined || failedSandboxes() > 0
      if (!troubled) retryMs = firstRetryMs
      const woken = yield* troubled ? Effect.timeoutOption(Queue.take(wake), retryMs) : Effect.asSome(Queue.take(wake))
      if (Option.isNone(woken)) {
        retry = true
        retryMs = Math.min(retryMs * 2, lastRetryMs)
      }
    }
  })

  const follow = Effect.fnUntraced(function*(client: MeshdClient) {
    const refresh = Effect.tap(client.status, (status) => Effect.sync(() => {
      for (const node of status.networks) { nodes.set(node.network, node); PubSub.publishUnsafe(events, { event: "node", data: node }) }
    }))
    yield* refresh
    yield* Stream.runForEach(client.events, (event) => {
      if (event.event === "flow" || event.event === "dropped") PubSub.publishUnsafe(flowNews, event)
      if (event.event === "flow") return Effect.void
      if (event.event === "node") nodes.set(event.data.network, event.data)
      PubSub.publishUnsafe(events, event)
      return event.event === "dropped" ? refresh : Effect.void
    })
  })

  const session: Stream.Stream<DataPlaneEvent, MeshdFailure> = Stream.callback<DataPlaneEvent, MeshdFailure>((queue) => Effect.gen(function*() {
    const client = yield* connectMeshd(desired.meshdSocket).pipe(Effect.tapError((error) => Effect.sync(() => { problem = error.message })))
    const hello = yield* client.hello
    nodes.clear()
    results.clear()
    connection = { client, hello }
    inForce = undefined
    yield* Effect.addFinalizer(() => Effect.sync(() => {
      connection = undefined
      inForce = undefined
      problem = "meshd is away; its permits stay as they are"
      PubSub.publishUnsafe(events, { event: "lost" })
    }))
    yield* client.subscribe
    PubSub.publishUnsafe(events, { event: "connected" })
    PubSub.publishUnsafe(flowNews, { event: "connected" })
    Queue.offerUnsafe(queue, { type: "meshd.connected", pid: hello.pid, instance: hello.instance })
    return yield* Effect.raceAllFirst([applyForever(connection, (event) => { Queue.offerUnsafe(queue, event) }), Effect.andThen(follow(client), Effect.never), client.closed])
  }), { bufferSize: 256, strategy: "sliding" })

  const meshd = Effect.suspend(() => connection === undefined ? Effect.fail(new MeshdUnavailable({ message: "meshd is not connected" })) : Effect.succeed(connection.client))

  return DataPlane.of({
    session, enforce, meshd,
    problem: Effect.sync(() => problem),
    inForce: Effect.sync(() => inForce),
    sandbox: (id) => Effect.sync(() => results.get(id)),
    tellClosed: (id, asked, acknowledged) => Effect.sync(() => closed.tell(id, asked, acknowledged)),
    node: (id) => Effect.sync(() => nodes.get(id)),
    join: (request) => meshd.pipe(Effect.flatMap((client) => client.join(request)), Effect.tap((node) => Effect.sync(() => { nodes.set(node.network, node) }))),
    leave: (id) => meshd.pipe(Effect.flatMap((client) => client.leave(id, true)), Effect.tap(() => Effect.sync(() => { nodes.delete(id) }))),
    hello: Effect.sync(() => connection?.hello),
    events: Stream.fromPubSub(events), flowNews: Stream.fromPubSub(flowNews)
  })
})
