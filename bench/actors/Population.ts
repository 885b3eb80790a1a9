/** Alias listeners as an agent has them, in an actor system of their own, whose journal can be switched off; what they invoke answers at once. */
import { Context, Effect, Layer, type Scope } from "effect"
import { aliasListenerMachine, type AliasNotServed, type AliasPort } from "../../src/actors/machines/aliasListener.ts"
import { ActorSystem } from "../../src/actors/runtime/ActorSystem.ts"
import * as Bridge from "../../src/actors/runtime/bridge.ts"
import { machineChild } from "../../src/actors/runtime/ChildSpec.ts"
import * as Supervisor from "../../src/actors/runtime/Supervisor.ts"
import { Sight } from "../../src/actors/sight/Sight.ts"
import { AliasId, NetworkId } from "../../src/domain/Ids.ts"

const networkId = NetworkId.make("net_01j00000000000000n")
const digits = 9

export interface Population {
  readonly actors: ActorSystem["Service"]
  readonly sight: Sight["Service"]
  readonly addresses: ReadonlyArray<string>
  /** Adds one listener. */
  readonly add: Effect.Effect<void>
  /** Each listener opens, and when all listen each closes: two events from outside and one from inside for each. */
  readonly cycle: Effect.Effect<void>
}

export interface Switch { isOn: boolean }

/** The same objects at the same places whether it is on or off: two systems would differ by more than the journal. */
const journalWith = (journal: Switch) => Layer.effect(ActorSystem, Effect.map(ActorSystem, (actors) => {
  const { note, noteEvent } = actors.host
  return ActorSystem.of({ ...actors, host: {
    ...actors.host,
    note: (...entry) => { if (journal.isOn) note(...entry) },
    noteEvent: (...entry) => { if (journal.isOn) noteEvent(...entry) }
  } })
}))

export const populate = Effect.fnUntraced(function*(options: { readonly hibernates: boolean; readonly journal?: Switch }): Effect.fn.Return<Population, never, Scope.Scope> {
  const system = options.journal === undefined ? ActorSystem.layer : Layer.provide(journalWith(options.journal), ActorSystem.layer)
  const context = yield* Layer.build(Layer.provideMerge(Sight.layer, system))
  const actors = Context.get(context, ActorSystem)
  const bridge = yield* Bridge.make()
  const machine = aliasListenerMachine.provide({ actors: {
    open: bridge.fromEffect((_: AliasPort): Effect.Effect<number, AliasNotServed> => Effect.succeed(2)), drain: bridge.fromEffect((_: AliasPort) => Effect.void)
  } })
  const root = yield* Supervisor.start({
    address: `agent/networks/${networkId}`, strategy: "restForOne", intensity: { restarts: 5, withinMs: 10_000 }, children: []
  }).pipe(Effect.provideContext(context))
  const addresses: Array<string> = []

  const tellAll = (event: string, state: string) => Effect.gen(function*() {
    for (const address of addresses) yield* actors.send(address, { type: event })
    for (const address of addresses) yield* actors.waitFor(address, state)
  })

  return {
    actors, addresses, sight: Context.get(context, Sight),
    add: Effect.suspend(() => {
      const aliasId = AliasId.make(`als_01j000000${String(addresses.length).padStart(digits, "0")}`)
      const id = `alias/${aliasId}:8080`
      addresses.push(`${root.address}/${id}`)
      return Effect.orDie(root.startChild(machineChild({
        id, logic: machine, input: { networkId, aliasId, port: 8080 }, restart: "transient", shutdownMs: 1000, hibernates: options.hibernates, redact: ["port", "permits", "attempt", "lastError"]
      })))
    }),
    cycle: Effect.orDie(Effect.andThen(tellAll("alias.permitted", "listening"), tellAll("alias.unpermitted", "planned")))
  }
})
