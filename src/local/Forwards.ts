/** The forwards of this machine, one actor each, which is told whenever the policy, the way or meshd has changed. */
import { Clock, Context, Effect, Layer, Option, Stream } from "effect"
import { type ForwardEvent, forwardMachine, type NotListening, type Situation } from "../actors/machines/forward.ts"
import { ActorSystem } from "../actors/runtime/ActorSystem.ts"
import * as Bridge from "../actors/runtime/bridge.ts"
import { machineChild } from "../actors/runtime/ChildSpec.ts"
import { DataPlane } from "../agent/dataplane/DataPlane.ts"
import type { MeshdClient, MeshdFailure } from "../agent/dataplane/MeshdClient.ts"
import { type ForwardRequest, type ForwardStatus, MeshRefused } from "../protocol/local/MeshRpcs.ts"
import type { ForwardState } from "../protocol/meshd/Messages.ts"
import * as Address from "./addresses.ts"
import { afterEachChange, endChild, statuses } from "./children.ts"
import { isoNow } from "./Joins/membership.ts"
import { Known } from "./Known.ts"
import { soon } from "./soon.ts"

/** `kept`: it outlives the command that asked. `all`: one of those that forward the whole network. */
export interface ForwardWish extends Omit<ForwardRequest, "keep"> { readonly kept: boolean; readonly all: boolean }
/** `bound` is where it listened last, and will again. */
interface Forward extends ForwardWish { readonly id: string; readonly since: string; bound: string | null }

const closePatience = "5 seconds"

export class Forwards extends Context.Service<Forwards, {
  /** Starts one; how it goes on is told by `changes`. */
  readonly open: (request: ForwardWish) => Effect.Effect<string>
  /** The forward now, and after each change until it has ended. */
  readonly changes: (id: string) => Stream.Stream<ForwardStatus>
  readonly close: (id: string) => Effect.Effect<void>
  readonly closeEach: (which: (forward: ForwardWish) => boolean) => Effect.Effect<void>
  readonly requests: () => ReadonlyArray<ForwardWish>
  readonly one: (id: string) => Effect.Effect<ForwardStatus, MeshRefused>
  readonly list: Effect.Effect<ReadonlyArray<ForwardStatus>>
}>()("gstacks/local/Forwards") {
  static readonly layer = Layer.effect(Forwards, Effect.suspend(() => make()))
}

/** Nobody but the user can mend these. */
const finalCodes = new Set(["in_use", "not_allowed", "bad_request"])
const isFinal = (error: MeshdFailure): boolean => error._tag === "MeshdRefused" && finalCodes.has(error.code)

const make = Effect.fnUntraced(function*() {
  const actors = yield* ActorSystem
  const dataPlane = yield* DataPlane
  const known = yield* Known
  const bridge = yield* Bridge.make<never>()
  const forwards = new Map<string, Forward>()
  let last = 0

  const situationOf = ({ network, alias, port }: ForwardWish): Effect.Effect<Situation> => Effect.gen(function*() {
    const way = known.way(network, alias, port, yield* Clock.currentTimeMillis)
    return { permitted: way !== undefined, meshd: (yield* dataPlane.hello) !== undefined, route: way === undefined ? "" : `${way.self.id} ${way.alias.address}` }
  })

  const open = ({ id }: { readonly id: string }): Effect.Effect<string, NotListening> => Effect.gen(function*() {
    const forward = forwards.get(id)!
    const { network, alias, port, guard } = forward
    const way = known.way(network, alias, port, yield* Clock.currentTimeMillis)
    if (way === undefined) return yield* Effect.fail({ reason: "nothing permits it any more", final: false })
    const client = yield* dataPlane.meshd
    const listen = (at: string) => client.listen({ id, listen: at, source: way.self.id, address: way.alias.address, port, ...(guard === null ? {} : { guard }) })
    const { bound } = yield* where(forward, listen)
    forward.bound = bound
    return bound
  }).pipe(Effect.mapError((error) => "_tag" in error ? { reason: error.message, final: isFinal(error) } : error))

  const close = ({ id }: { readonly id: string }) => Effect.ignore(Effect.flatMap(dataPlane.meshd, (client) => client.unlisten(id)))
  const logic = forwardMachine.provide({ actors: { open: bridge.fromEffect(open), close: bridge.fromEffect(close) } })

  const send = (id: string, event: ForwardEvent) => actors.send(Address.forward(id), event)
  const tellAll = Effect.suspend(() => Effect.forEach([...forwards.values()], (forward) =>
    Effect.ignore(Effect.flatMap(situationOf(forward), (situation) => send(forward.id, { type: "situation.changed", situation }))), { discard: true }))
  const changed = yield* afterEachChange(known, tellAll)
  yield* Effect.forkScoped(Stream.runForEach(dataPlane.events, ({ event }) => Effect.sync(() => { if (event === "connected" || event === "lost") changed() })))

  const statusWith = (carried: ReadonlyArray<ForwardState>) => (forward: Forward) => Effect.gen(function*() {
    const actor = yield* Effect.option(actors.snapshot(Address.forward(forward.id)))
    const context = actor._tag === "Some" ? actor.value.context : {}
    const state = actor._tag === "Some" ? shownState(actor.value.state) : "closed"
    const traffic = carried.find((candidate) => candidate.id === forward.id)
    const now = yield* Clock.currentTimeMillis
    const way = known.way(forward.network, forward.alias, forward.port, now)
    const denied = known.hasEnded(forward.network, now) ? "the join has expired: gstacks mesh status" : "no rule permits it now"
    const { bound, ...request } = forward
    return {
      ...request, listen: bound ?? request.listen ?? `127.0.0.1:${request.port}`, state, rules: way?.rules ?? [],
      reason: typeof context["lastError"] === "string" ? context["lastError"] : state === "denied" ? denied : traffic?.lastError ?? null,
      open: traffic?.open ?? 0, waiting: traffic?.waiting ?? 0, total: traffic?.total ?? 0,
      bytesToTarget: traffic?.bytesToTarget ?? 0, bytesToSource: traffic?.bytesToSource ?? 0, refused: traffic?.refused ?? 0
    } satisfies ForwardStatus
  })
  const carried = Effect.map(soon(dataPlane, (client) => client.forwards), Option.getOrElse((): ReadonlyArray<ForwardState> => []))
  const status = (forward: Forward) => Effect.flatMap(carried, (now) => statusWith(now)(forward))

  const end = (id: string) => Effect.andThen(endChild(actors, Address.forwards, id, "closed", closePatience), Effect.sync(() => { forwards.delete(id) }))

  return Forwards.of({
    open: (request) => Effect.gen(function*() {
      const id = `${request.network}/${request.alias}:${request.port}/${++last}`
      const forward: Forward = { ...request, id, since: yield* isoNow, bound: null }
      forwards.set(id, forward)
      yield* Effect.orDie(Effect.flatMap(actors.supervisor(Address.forwards), (supervisor) => Effect.flatMap(situationOf(forward), (situation) => supervisor.startChild(machineChild({
        id, logic, input: { id, situation }, restart: "transient", shutdownMs: 2_000, stopEvent: { type: "stop" }, redact: ["bound", "lastError", "attempt"]
      })))))
      return id
    }),
    changes: (id) => Stream.suspend(() => {
      const forward = forwards.get(id)
      return forward === undefined ? Stream.empty : statuses(actors, Address.forward(id), status(forward), ({ state }) => state === "closed" || state === "refused")
    }),
    close: end,
    closeEach: (which) => Effect.suspend(() => Effect.forEach([...forwards.values()].filter(which), ({ id }) => end(id), { discard: true, concurrency: "unbounded" })),
    requests: () => [...forwards.values()],
    one: (id) => Effect.suspend(() => {
      const forward = forwards.get(id)
      return forward === undefined ? Effect.fail(new MeshRefused({ code: "no-forward", message: `there is no forward ${id}`, hint: "gstacks mesh status" })) : status(forward)
    }),
    list: Effect.flatMap(carried, (now) => Effect.suspend(() => Effect.forEach([...forwards.values()], statusWith(now))))
  })
})

/** Where it was before; else where it is asked to be; else at the alias's own port, or at any when that cannot be had. */
const where = ({ bound, listen, port }: Forward, listenAt: (at: string) => ReturnType<MeshdClient["listen"]>) => {
  const at = bound ?? listen
  if (at !== null) return listenAt(at)
  return Effect.catchIf(listenAt(`127.0.0.1:${port}`), isFinal, () => listenAt("127.0.0.1:0"))
}

const shownState = (at: string): ForwardStatus["state"] => {
  switch (at) {
    case "listening": case "denied": case "refused": case "closed": return at
    case "away": case "pausing": return "waiting"
    case "ending": return "closed"
    default: return "opening"
  }
}
