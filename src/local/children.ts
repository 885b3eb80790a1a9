/** What forwards, commands and publications have in common: an actor each, below a supervisor of their own. */
import { Clock, Effect, Queue, type Scope, Stream } from "effect"
import type { ActorSystem, When } from "../actors/runtime/ActorSystem.ts"
import type { ActorSnapshot } from "../actors/runtime/Registry.ts"
import type { Known } from "./Known.ts"

type Actors = ActorSystem["Service"]

/** A machine that sleeps does not count the time. */
const mostMs = 60_000

/** Does the work soon after each change, also when the time of something is over; changes meanwhile come to one more time. Answers how to tell of a change. */
export const afterEachChange = Effect.fnUntraced(function*(
  known: Pick<Known["Service"], "onChange" | "nextEnd">, work: Effect.Effect<void>
): Effect.fn.Return<() => void, never, Scope.Scope> {
  const changed = yield* Queue.sliding<void>(1)
  const tell = () => { Queue.offerUnsafe(changed, undefined) }
  yield* Effect.acquireRelease(Effect.sync(() => known.onChange(tell)), (stop) => Effect.sync(stop))
  // What ends while the work is being done is not over for it yet, and has its turn at once.
  yield* Effect.forkScoped(Effect.forever(Effect.gen(function*() {
    const judgedAt = yield* Clock.currentTimeMillis
    yield* work
    const wait = known.nextEnd(judgedAt) - (yield* Clock.currentTimeMillis)
    yield* Effect.timeoutOption(Queue.take(changed), Math.max(0, Math.min(wait, mostMs)))
  })))
  return tell
})

/** Tells it to stop, waits until it has, at most `patience`, and takes it out of its supervisor. */
export const endChild = (actors: Actors, supervisor: string, id: string, isOver: When, patience: `${number} seconds`) => Effect.gen(function*() {
  const address = `${supervisor}/${id}`
  yield* Effect.ignore(actors.send(address, { type: "stop" }))
  yield* Effect.ignore(actors.waitFor(address, isOver).pipe(Effect.timeout(patience)))
  yield* Effect.ignore(Effect.flatMap(actors.supervisor(supervisor), (running) => running.stopChild(id)))
})

/** Its status now and after each change, until it is over. */
export const statuses = <A extends { readonly state: string; readonly reason: string | null }>(
  actors: Actors, address: string, status: Effect.Effect<A>, isOver: (status: A) => boolean
): Stream.Stream<A> => {
  const later = Stream.filter(actors.changes(address), (actor: ActorSnapshot) => actor.address === address)
  return Stream.concat(Stream.fromEffect(status), Stream.mapEffect(later, () => status)).pipe(
    Stream.changesWith((a, b) => a.state === b.state && a.reason === b.reason), Stream.takeUntil(isOver))
}
