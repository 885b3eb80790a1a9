/** The ports of this machine that are aliases, one actor each, which is told whenever the topology has changed. */
import { Clock, Context, Effect, Layer, Option, Semaphore } from "effect"
import { type NotPublished, type PublicationEvent, publicationMachine, type Sighting, type Until } from "../actors/machines/publication.ts"
import { ActorSystem } from "../actors/runtime/ActorSystem.ts"
import * as Bridge from "../actors/runtime/bridge.ts"
import { machineChild } from "../actors/runtime/ChildSpec.ts"
import { isInState, type StateValue } from "../actors/runtime/stateText.ts"
import { DataPlane } from "../agent/dataplane/DataPlane.ts"
import type { AliasId } from "../domain/Ids.ts"
import { hasExpired } from "../domain/Policy.ts"
import { MeshRefused, type PublicationRequest, type PublicationStatus } from "../protocol/local/MeshRpcs.ts"
import type { Flow } from "../protocol/meshd/Messages.ts"
import * as Address from "./addresses.ts"
import { afterEachChange, endChild } from "./children.ts"
import { ControlPlanes, problemName } from "./ControlPlanes.ts"
import { Joins } from "./Joins.ts"
import { isoNow } from "./Joins/membership.ts"
import { Known } from "./Known.ts"
import { machineId } from "./machineId.ts"
import { soon } from "./soon.ts"

interface Publication extends Omit<PublicationRequest, "forSeconds"> {
  forSeconds: number
  readonly since: string
  /** Once it is granted: by what the topology names it, and from which version on. */
  granted: { readonly aliasId: AliasId; readonly version: number } | undefined
}

const patience = "25 seconds"
const endPatience = "8 seconds"
const enforcePatience = "5 seconds"
/** As many streams as a look at them counts. */
const mostCounted = 10_000

export class Publications extends Context.Service<Publications, {
  readonly publish: (request: PublicationRequest) => Effect.Effect<PublicationStatus, MeshRefused>
  readonly unpublish: (network: string, alias: string) => Effect.Effect<PublicationStatus, MeshRefused>
  /** Of a network that is being left. It waits for no command that publishes: such a one ends with what it publishes. */
  readonly endAll: (network: string) => Effect.Effect<void>
  readonly list: Effect.Effect<ReadonlyArray<PublicationStatus>>
}>()("gstacks/local/Publications") {
  static readonly layer = Layer.effect(Publications, Effect.suspend(() => make()))
}

const idOf = ({ network, alias }: { readonly network: string; readonly alias: string }): string => `${network}/${alias}`

const make = Effect.fnUntraced(function*() {
  const actors = yield* ActorSystem
  const control = yield* ControlPlanes
  const dataPlane = yield* DataPlane
  const joins = yield* Joins
  const known = yield* Known
  const bridge = yield* Bridge.make<never>()
  const machine = yield* machineId
  /** Two commands for one alias must not meet. */
  const inTurn = Semaphore.makeUnsafe(1).withPermit
  const publications = new Map<string, Publication>()

  /** The join of the network, as the control plane names it. */
  const joined = Effect.fnUntraced(function*(network: string) {
    const { account, grant } = yield* joins.membership(network)
    return grant === undefined
      ? yield* new MeshRefused({ code: "not-joined-yet", message: `${network} is not joined yet`, hint: "see gstacks mesh status" })
      : { account, params: { network, localNode: grant.id } }
  })
  const refusedBy = ({ code, hint, message }: MeshRefused): NotPublished => ({ code, reason: message, next: hint })

  const request = ({ id }: { readonly id: string }): Effect.Effect<Until, NotPublished> => Effect.gen(function*() {
    const publication = publications.get(id)!
    const { alias, forSeconds, local, network, port } = publication
    const { account, params } = yield* Effect.mapError(joined(network), refusedBy)
    const { value, change } = yield* control.call(account, (client) => client.localNodes.publish({ params, payload: { machine, alias, port, forSeconds } })).pipe(
      Effect.mapError((failure): NotPublished => ({ code: problemName(failure), reason: failure.problem.detail, next: failure.problem.hint })))
    known.loopback.set(value.id, local)
    yield* Effect.timeoutOption(dataPlane.enforce, enforcePatience)
    publication.granted = { aliasId: value.id, version: change.version }
    yield* tell(id)
    return { expiresAt: value.local?.expiresAt ?? "", leftMs: forSeconds * 1000 }
  })

  const withdraw = ({ id }: { readonly id: string }) => Effect.gen(function*() {
    const publication = publications.get(id)!
    const isThere = sightingOf(publication) !== "gone"
    if (publication.granted !== undefined) known.loopback.delete(publication.granted.aliasId)
    yield* Effect.timeoutOption(dataPlane.enforce, "2 seconds")
    if (isThere) {
      yield* Effect.ignore(Effect.flatMap(joined(publication.network), ({ account, params }) =>
        control.call(account, (client) => client.localNodes.unpublish({ params: { ...params, alias: publication.alias }, query: { machine } }), 3_000)))
    }
  })
  const logic = publicationMachine.provide({ actors: { request: bridge.fromEffect(request), withdraw: bridge.fromEffect(withdraw) } })

  const sightingOf = ({ granted, network }: Publication): Sighting => {
    const topology = known.topology(network)
    if (granted === undefined) return "coming"
    if (topology?.aliases.some((alias) => alias.id === granted.aliasId) === true) return "there"
    return topology !== undefined && topology.version < granted.version ? "coming" : "gone"
  }
  const send = (id: string, event: PublicationEvent) => Effect.ignore(actors.send(Address.publication(id), event))
  const tell = (id: string) => Effect.suspend(() => {
    const publication = publications.get(id)
    return publication === undefined ? Effect.void : send(id, { type: "topology.seen", sighting: sightingOf(publication) })
  })
  yield* afterEachChange(known, Effect.suspend(() => Effect.forEach([...publications.keys()], tell, { discard: true })))

  const seen = (id: string) => Effect.option(actors.snapshot(Address.publication(id)))
  const statusWith = (flows: ReadonlyArray<Flow>) => (publication: Publication) => Effect.gen(function*() {
    const { alias, granted, local, network, port, since } = publication
    const actor = yield* seen(idOf(publication))
    const context = actor._tag === "Some" ? actor.value.context : {}
    const now = yield* Clock.currentTimeMillis
    const rules = known.topology(network)?.rules.filter((rule) => rule.aliasId === granted?.aliasId && !hasExpired(rule, now)) ?? []
    return {
      network, alias, port, local, since, expiresAt: textIn(context, "expiresAt"), state: actor._tag === "Some" ? stateOf(actor.value.state) : "ended",
      reason: textIn(context, "lastError"), rules: rules.map(({ id }) => id),
      open: flows.filter((flow) => flow.direction === "inbound" && flow.alias === granted?.aliasId).length
    } satisfies PublicationStatus
  })
  const carried = Effect.map(soon(dataPlane, (client) => client.flows(mostCounted)), Option.getOrElse((): ReadonlyArray<Flow> => []))
  const status = (publication: Publication) => Effect.flatMap(carried, (flows) => statusWith(flows)(publication))

  const isOver = (value: StateValue) => isInState(value, "ended") || isInState(value, "refused") || isInState(value, "forgotten")
  const end = (id: string) => Effect.andThen(endChild(actors, Address.publications, id, isOver, endPatience), Effect.sync(() => { publications.delete(id) }))

  const start = Effect.fnUntraced(function*(wish: PublicationRequest) {
    const id = idOf(wish)
    yield* end(id) // one that is over, or not there yet
    publications.set(id, { ...wish, since: yield* isoNow, granted: undefined })
    yield* Effect.orDie(Effect.flatMap(actors.supervisor(Address.publications), (supervisor) => supervisor.startChild(machineChild({
      id, logic, input: { id }, restart: "transient", shutdownMs: 6_000, stopEvent: { type: "stop" }, redact: ["expiresAt", "sighting", "lastError", "code", "next"]
    }))))
    yield* Effect.ignore(actors.waitFor(Address.publication(id), (value) => isInState(value, "published") || isOver(value)).pipe(Effect.timeout(patience)))
    yield* Effect.timeoutOption(dataPlane.enforce, enforcePatience)
  })

  const prolong = (publication: Publication, wish: PublicationRequest) => Effect.gen(function*() {
    publication.forSeconds = wish.forSeconds
    yield* send(idOf(wish), { type: "prolonged", until: yield* request({ id: idOf(wish) }) })
  }).pipe(Effect.mapError(({ code, next, reason }) => new MeshRefused({ code, message: reason, hint: next })))

  return Publications.of({
    publish: Effect.fn("Publications.publish")(function*(wish) {
      const id = idOf(wish), before = publications.get(id)
      const at = before && (yield* seen(id))
      if (before !== undefined && at?._tag === "Some" && isInState(at.value.state, "published")) {
        if (before.local !== wish.local || before.port !== wish.port) {
          return yield* new MeshRefused({
            code: "published-already", message: `${wish.alias}:${before.port} is published already, and leads to port ${before.local}`, hint: `gstacks mesh unpublish ${wish.network} ${wish.alias}`
          })
        }
        yield* prolong(before, wish)
        return yield* status(before)
      }
      yield* start(wish)
      const publication = publications.get(id)
      if (publication === undefined) return yield* new MeshRefused({ code: "left", message: `${wish.network} was left meanwhile`, hint: `gstacks mesh join ${wish.network}` })
      const now = yield* status(publication)
      if (now.state === "published") return now
      const context = Option.match(yield* seen(id), { onNone: () => ({}), onSome: (actor) => actor.context })
      yield* end(id)
      return yield* new MeshRefused({ code: textIn(context, "code") ?? "not-published", message: now.reason ?? "it is not published yet", hint: textIn(context, "next") ?? "see gstacks mesh status, and try again" })
    }, inTurn),
    unpublish: Effect.fn("Publications.unpublish")(function*(network, alias) {
      const publication = publications.get(idOf({ network, alias }))
      if (publication === undefined) {
        return yield* new MeshRefused({ code: "not-published", message: `this machine publishes no ${alias} in ${network}`, hint: "see what it does: gstacks mesh status" })
      }
      const before = yield* status(publication)
      yield* end(idOf(publication))
      return { ...before, state: "ended", open: 0 } satisfies PublicationStatus
    }, inTurn),
    endAll: (network) => Effect.suspend(() =>
      Effect.forEach([...publications.values()].filter((one) => one.network === network), (one) => end(idOf(one)), { discard: true, concurrency: "unbounded" })),
    list: Effect.gen(function*() {
      const flows = yield* carried
      const shown = yield* Effect.filter([...publications.values()], (one) => Effect.map(seen(idOf(one)), (actor) => actor._tag === "None" || !isInState(actor.value.state, "forgotten")))
      return yield* Effect.forEach(shown, statusWith(flows))
    })
  })
})

const textIn = (context: Readonly<Record<string, unknown>>, key: string): string | null => typeof context[key] === "string" ? context[key] : null

const stateOf = (at: string): PublicationStatus["state"] => {
  switch (at) {
    case "published": return at
    case "requesting": case "announcing": return "publishing"
    case "withdrawing": return "ending"
    default: return "ended"
  }
}
