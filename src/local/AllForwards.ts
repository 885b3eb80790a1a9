/** Whole networks that are forwarded: whatever the policy lets this user reach in them, now and later, each alias and port at an address of its own. */
import { Clock, Context, Deferred, Effect, Layer, Semaphore, Stream } from "effect"
import { ActorSystem } from "../actors/runtime/ActorSystem.ts"
import type { AliasName, Port } from "../domain/DnsLabel.ts"
import { type ForwardStatus, MeshRefused } from "../protocol/local/MeshRpcs.ts"
import * as Address from "./addresses.ts"
import { afterEachChange } from "./children.ts"
import { type ForwardWish, Forwards } from "./Forwards.ts"
import { Known } from "./Known.ts"

/** Of one network. What is beyond it is not forwarded. */
const mostForwards = 512
/** Many forwards change at once. */
const restMs = 50

export const allOf = (network: string): string => `${network}/all`

export class AllForwards extends Context.Service<AllForwards, {
  /** `kept`: started again, it goes on as it is. */
  readonly start: (network: string, kept: boolean) => Effect.Effect<Whole, MeshRefused>
  /** With `only`, unless that has been stopped already. */
  readonly stop: (network: string, only?: Whole) => Effect.Effect<void>
  /** The network that goes by this id, if it is forwarded. */
  readonly named: (id: string) => string | undefined
  /** All of them now, and after each change, until it is stopped. */
  readonly changes: (whole: Whole) => Stream.Stream<ReadonlyArray<ForwardStatus>>
  readonly list: (network: string) => Effect.Effect<ReadonlyArray<ForwardStatus>>
}>()("gstacks/local/AllForwards") {
  static readonly layer = Layer.effect(AllForwards, Effect.suspend(() => make()))
}

/** A network that is forwarded, from a start to a stop. */
export interface Whole { readonly network: string; readonly kept: boolean; readonly stopped: Deferred.Deferred<void> }

interface Reachable { readonly alias: AliasName; readonly port: Port }

/** What is to be forwarded beside what is. The alias's own port goes to the first that has it, so that each finds its place again. */
export const missing = (reachable: ReadonlyArray<Reachable>, there: ReadonlyArray<Reachable>): ReadonlyArray<Reachable & { readonly listen: string | null }> => {
  const name = ({ alias, port }: Reachable) => `${alias}:${port}`
  const names = new Set(there.map(name)), ports = new Set(there.map(({ port }) => port))
  const order = (a: Reachable, b: Reachable) => (a.alias < b.alias ? -1 : a.alias > b.alias ? 1 : a.port - b.port)
  return [...reachable].filter((each) => !names.has(name(each))).sort(order).slice(0, Math.max(0, mostForwards - there.length)).map(({ alias, port }) => {
    const isFirst = !ports.has(port)
    ports.add(port)
    return { alias, port, listen: isFirst ? null : "127.0.0.1:0" }
  })
}

const make = Effect.fnUntraced(function*() {
  const actors = yield* ActorSystem
  const forwards = yield* Forwards
  const known = yield* Known
  const wholes = new Map<string, Whole>()
  const oneAtATime = (yield* Semaphore.make(1)).withPermit
  const isOf = (network: string) => (forward: ForwardWish) => forward.all && forward.network === network

  const extend = (network: string) => oneAtATime(Effect.gen(function*() {
    const whole = wholes.get(network)
    if (whole === undefined) return
    const { kept } = whole
    const wanted = missing(known.reachable(network, yield* Clock.currentTimeMillis), forwards.requests().filter(isOf(network)))
    yield* Effect.forEach(wanted, (each) => forwards.open({ ...each, network, kept, all: true, guard: null }), { discard: true })
  }))

  yield* afterEachChange(known, Effect.suspend(() => Effect.forEach([...wholes.keys()], extend, { discard: true })))

  const list = (network: string) => Effect.map(forwards.list, (all) => all.filter((forward) => forward.all && forward.network === network))
  return AllForwards.of({
    list,
    named: (id) => [...wholes.keys()].find((network) => allOf(network) === id),
    start: Effect.fnUntraced(function*(network: string, kept: boolean) {
      const before = wholes.get(network)
      if (before !== undefined && !(before.kept && kept)) {
        return yield* new MeshRefused({ code: "forwarded-already", message: `all of ${network} is forwarded already`, hint: `gstacks mesh status, or end it: gstacks mesh close ${allOf(network)}` })
      }
      const whole = before ?? { network, kept, stopped: Deferred.makeUnsafe<void>() }
      wholes.set(network, whole)
      yield* extend(network)
      return whole
    }),
    stop: Effect.fnUntraced(function*(network: string, only?: Whole) {
      const whole = wholes.get(network)
      if (whole === undefined || (only ?? whole) !== whole) return
      wholes.delete(network)
      yield* oneAtATime(forwards.closeEach(isOf(network)))
      yield* Deferred.succeed(whole.stopped, undefined)
    }),
    changes: ({ network, stopped }) => Stream.merge(Stream.succeed(undefined), Stream.debounce(actors.changes(Address.forwards), restMs)).pipe(
      Stream.mapEffect(() => list(network)), Stream.changesWith((a, b) => told(a) === told(b)),
      Stream.merge(Stream.drain(Stream.fromEffect(Deferred.await(stopped))), { haltStrategy: "right" }))
  })
})

const told = (forwards: ReadonlyArray<ForwardStatus>): string => JSON.stringify(forwards.map(({ id, listen, reason, state }) => [id, listen, reason, state]))
