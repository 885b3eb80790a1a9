/**
 * Shows, as one actor each, the aliases and ports that matter on this host: published here, or permitted to a sandbox here.
 * It follows the permits and never changes them; what a change leaves alone is not looked at. The supervisor's own word
 * decides which actors there are, so that listeners that were lost with a restarted supervisor come back.
 */
import { Context, Effect, Layer } from "effect"
import { aliasListenerMachine, type AliasListenerEvent, type AliasNotServed, type AliasPort } from "../actors/machines/aliasListener.ts"
import { ActorSystem } from "../actors/runtime/ActorSystem.ts"
import * as Bridge from "../actors/runtime/bridge.ts"
import { machineChild } from "../actors/runtime/ChildSpec.ts"
import type { SupervisorRef } from "../actors/runtime/Supervisor.ts"
import { difference } from "../domain/difference.ts"
import type { NetworkId } from "../domain/Ids.ts"
import { monotonicMillis } from "../domain/monotonic.ts"
import * as Address from "./addresses.ts"
import { DataPlane } from "./dataplane/DataPlane.ts"
import { Knowledge } from "./Knowledge.ts"
import type { AliasPermits } from "./plan/permits.ts"

export class AliasListeners extends Context.Service<AliasListeners, {
  /** Follows the permits for ever. */
  readonly follow: Effect.Effect<never>
}>()("gstacks/agent/AliasListeners") {
  static readonly layer = Layer.effect(AliasListeners, Effect.suspend(() => make()))
}

/** Listeners that were lost are looked for this often. */
const searchEveryMs = 30_000

/** A listener, with the ids of the permits that lead to or from it here. */
interface Wanted extends AliasPort { readonly permits: ReadonlyArray<string> }

const make = Effect.fnUntraced(function*() {
  const actors = yield* ActorSystem
  const dataPlane = yield* DataPlane
  const knowledge = yield* Knowledge
  const machine = yield* listenerMachine()
  /** What the listeners show by now. */
  const shown = new Map<NetworkId, ReadonlyArray<AliasPermits>>()

  const tell = (at: AliasPort, event: AliasListenerEvent) => actors.send(Address.alias(at.networkId, at.aliasId, at.port), event)

  const show = Effect.fnUntraced(function*(network: SupervisorRef, wanted: Wanted, before: Wanted | undefined) {
    const { networkId, aliasId, port } = wanted
    const there = yield* Effect.isSuccess(actors.snapshot(Address.alias(networkId, aliasId, port)))
    if (!there) {
      yield* network.startChild(machineChild({
        id: Address.aliasId(aliasId, port), logic: machine, input: { networkId, aliasId, port }, restart: "transient", shutdownMs: 1000, hibernates: true,
        redact: ["port", "permits", "attempt", "lastError"]
      }))
    }
    const changed = !there || before === undefined || !sameItems(before.permits, wanted.permits)
    if (changed && (wanted.permits.length > 0 || before !== undefined)) yield* tell(wanted, { type: wanted.permits.length > 0 ? "alias.permitted" : "alias.unpermitted" })
  })

  const closed = ({ networkId, aliasId, port }: AliasPort) => actors.waitFor(Address.alias(networkId, aliasId, port), "closed")
  /** One that is about to be started again cannot be told, and has to go all the same. */
  const hide = (network: SupervisorRef, gone: AliasPort) => tell(gone, { type: "alias.withdrawn" }).pipe(
    Effect.andThen(closed(gone)), Effect.timeoutOption("5 seconds"), Effect.ignore,
    Effect.andThen(Effect.ignore(network.stopChild(Address.aliasId(gone.aliasId, gone.port)))))

  const reconcile = (id: NetworkId, after: ReadonlyArray<AliasPermits>, search: boolean) => Effect.gen(function*() {
    const network = yield* actors.supervisor(Address.network(id))
    const before = shown.get(id) ?? []
    const changed = search ? { before, after } : difference(before, after)
    const had = wantedOf(id, changed.before), wanted = wantedOf(id, changed.after)
    yield* Effect.forEach([...had].filter(([key]) => !wanted.has(key)), ([, gone]) => hide(network, gone), { discard: true, concurrency: 16 })
    yield* Effect.forEach(wanted, ([key, listener]) => show(network, listener, had.get(key)), { discard: true })
    shown.set(id, after)
  }).pipe(Effect.catch(() => Effect.sync(() => { shown.delete(id) }))) // its actors are restarting: the next round looks at all of it

  const wantedOf = (networkId: NetworkId, aliases: ReadonlyArray<AliasPermits>): ReadonlyMap<string, Wanted> =>
    new Map(aliases.flatMap(({ alias, outbound, inbound }) => {
      const permits = [...outbound, ...inbound]
      const published = alias.agentId === knowledge.identity?.agentId ? alias.ports : []
      return [...new Set([...published, ...permits.map((permit) => permit.port)])].map((port) => [Address.aliasId(alias.id, port), {
        networkId, aliasId: alias.id, port, permits: permits.filter((permit) => permit.port === port).map((permit) => permit.id)
      }])
    }))

  const follow = Effect.gen(function*() {
    let searched = yield* monotonicMillis
    for (let seen: unknown; ;) {
      const untilSearch = searched + searchEveryMs - (yield* monotonicMillis)
      yield* Effect.raceFirst(knowledge.until(() => knowledge.permits() !== seen), Effect.sleep(Math.max(0, untilSearch)))
      yield* dataPlane.enforce
      const permits = knowledge.permits(), now = yield* monotonicMillis
      const search = now - searched >= searchEveryMs
      for (const id of new Set([...shown.keys(), ...permits.keys()])) yield* reconcile(id, permits.get(id)?.aliases ?? [], search)
      if (search) searched = now
      seen = permits
    }
  })
  return AliasListeners.of({ follow })
})

const listenerMachine = Effect.fnUntraced(function*() {
  const bridge = yield* Bridge.make<never>()
  const dataPlane = yield* DataPlane
  const knowledge = yield* Knowledge
  const open = ({ networkId, aliasId, port }: AliasPort): Effect.Effect<number, AliasNotServed> => Effect.gen(function*() {
    yield* dataPlane.enforce
    const permits = knowledge.permits().get(networkId)?.aliases.find(({ alias }) => alias.id === aliasId)
    const outbound = permits?.outbound.filter((permit) => permit.port === port) ?? []
    for (const sandbox of new Set(outbound.map((permit) => permit.sandbox))) {
      const result = yield* dataPlane.sandbox(sandbox)
      if (result?.ok === false) return yield* Effect.fail({ reason: `sandbox ${sandbox}: ${result.error ?? "not served"}` })
    }
    return outbound.length + (permits?.inbound.filter((permit) => permit.port === port).length ?? 0)
  })
  return aliasListenerMachine.provide({ actors: {
    open: bridge.fromEffect(open),
    drain: bridge.fromEffect((_: AliasPort) => Effect.asVoid(dataPlane.enforce))
  } })
})

const sameItems = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): boolean => a.length === b.length && a.every((item, i) => item === b[i])
