/**
 * Shows, as one actor each, the aliases and ports that matter on this host: published here, or permitted to a sandbox here.
 * It follows the plan and never changes it. The supervisor's own word decides which actors there are, so that listeners
 * that were lost with a restarted supervisor come back.
 */
import { Context, Effect, Layer } from "effect"
import { aliasListenerMachine, type AliasListenerEvent, type AliasNotServed, type AliasPort } from "../actors/machines/aliasListener.ts"
import { ActorSystem } from "../actors/runtime/ActorSystem.ts"
import * as Bridge from "../actors/runtime/bridge.ts"
import { machineChild } from "../actors/runtime/ChildSpec.ts"
import type { AliasId, NetworkId } from "../domain/Ids.ts"
import type { Plan } from "../protocol/meshd/Messages.ts"
import * as Address from "./addresses.ts"
import { DataPlane } from "./dataplane/DataPlane.ts"
import { Knowledge } from "./Knowledge.ts"

export class AliasListeners extends Context.Service<AliasListeners, {
  /** Follows the plan for ever. */
  readonly follow: Effect.Effect<never>
}>()("gstacks/agent/AliasListeners") {
  static readonly layer = Layer.effect(AliasListeners, Effect.suspend(() => make()))
}

/** Without a change, listeners that were lost are looked for this often. */
const longestRound = "30 seconds"

/** `permits`: the ids of those that lead to or from it here. */
interface Wanted extends AliasPort { readonly permits: ReadonlyArray<string> }

const make = Effect.fnUntraced(function*() {
  const actors = yield* ActorSystem
  const knowledge = yield* Knowledge
  const dataPlane = yield* DataPlane
  const machine = yield* listenerMachine()
  const shown = new Map<string, Wanted>()

  const tell = (at: AliasPort, event: AliasListenerEvent) => actors.send(Address.alias(at.networkId, at.aliasId, at.port), event)

  const show = (key: string, wanted: Wanted) => Effect.gen(function*() {
    const before = shown.get(key)
    const { networkId, aliasId, port } = wanted
    const there = yield* Effect.isSuccess(actors.snapshot(Address.alias(networkId, aliasId, port)))
    if (!there) {
      const network = yield* actors.supervisor(Address.network(networkId))
      yield* network.startChild(machineChild({
        id: Address.aliasId(aliasId, port), logic: machine, input: { networkId, aliasId, port }, restart: "transient", shutdownMs: 1000,
        redact: ["port", "permits", "attempt", "lastError"]
      }))
    }
    const changed = !there || before === undefined || !sameItems(before.permits, wanted.permits)
    if (changed && (wanted.permits.length > 0 || before !== undefined)) yield* tell(wanted, { type: wanted.permits.length > 0 ? "alias.permitted" : "alias.unpermitted" })
    shown.set(key, wanted)
  }).pipe(Effect.ignore) // its network's actors are restarting: the next round finds them

  const hide = (key: string, gone: Wanted) => Effect.gen(function*() {
    shown.delete(key)
    const address = Address.alias(gone.networkId, gone.aliasId, gone.port)
    yield* tell(gone, { type: "alias.withdrawn" })
    yield* Effect.ignore(actors.waitFor(address, "closed"))
    yield* (yield* actors.supervisor(Address.network(gone.networkId))).stopChild(Address.aliasId(gone.aliasId, gone.port))
  }).pipe(Effect.timeoutOption("5 seconds"), Effect.ignore)

  const reconcile = Effect.fnUntraced(function*(plan: Plan) {
    const wanted = wantedListeners(plan, knowledge)
    yield* Effect.forEach([...shown].filter(([key]) => !wanted.has(key)), ([key, gone]) => hide(key, gone), { discard: true, concurrency: 16 })
    yield* Effect.forEach(wanted, ([key, listener]) => show(key, listener), { discard: true })
  })

  const follow = Effect.gen(function*() {
    for (let seen: Plan | undefined; ;) {
      yield* Effect.raceFirst(knowledge.until(() => knowledge.plan() !== seen), Effect.sleep(longestRound))
      const { plan } = yield* dataPlane.enforce
      yield* reconcile(plan)
      seen = plan
    }
  })
  return AliasListeners.of({ follow })
})

const listenerMachine = Effect.fnUntraced(function*() {
  const bridge = yield* Bridge.make<never>()
  const dataPlane = yield* DataPlane
  const open = ({ networkId, aliasId, port }: AliasPort): Effect.Effect<number, AliasNotServed> => Effect.gen(function*() {
    const { plan } = yield* dataPlane.enforce
    const at = (permit: { readonly network: NetworkId; readonly alias: AliasId; readonly port: number }) => permit.network === networkId && permit.alias === aliasId && permit.port === port
    const outbound = plan.outbound.filter(at)
    for (const sandbox of new Set(outbound.map((permit) => permit.sandbox))) {
      const result = yield* dataPlane.sandbox(sandbox)
      if (result?.ok === false) return yield* Effect.fail({ reason: `sandbox ${sandbox}: ${result.error ?? "not served"}` })
    }
    return outbound.length + plan.inbound.filter(at).length
  })
  return aliasListenerMachine.provide({ actors: {
    open: bridge.fromEffect(open),
    drain: bridge.fromEffect((_: AliasPort) => Effect.asVoid(dataPlane.enforce))
  } })
})

const wantedListeners = (plan: Plan, knowledge: Knowledge["Service"]): ReadonlyMap<string, Wanted> => {
  const wanted = new Map<string, AliasPort & { permits: Array<string> }>()
  const at = (networkId: NetworkId, aliasId: AliasId, port: number) => {
    const key = `${networkId}/${aliasId}:${port}`
    const listener = wanted.get(key) ?? { networkId, aliasId, port, permits: [] }
    wanted.set(key, listener)
    return listener
  }
  for (const topology of knowledge.topologies.values()) {
    for (const alias of topology.aliases) if (alias.agentId === knowledge.identity?.agentId) for (const port of alias.ports) at(topology.networkId, alias.id, port)
  }
  for (const permit of [...plan.outbound, ...plan.inbound]) at(permit.network, permit.alias, permit.port).permits.push(permit.id)
  return wanted
}

const sameItems = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): boolean => a.length === b.length && a.every((item, i) => item === b[i])
