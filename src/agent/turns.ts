/** One work at a time for each key, in the order asked; keys that nobody works on take no room. */
import { Effect, Semaphore } from "effect"

export const makeTurns = <Key>() => {
  const turns = new Map<Key, { readonly semaphore: Semaphore.Semaphore; users: number }>()
  return (key: Key) => <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => Effect.acquireUseRelease(
    Effect.sync(() => {
      const turn = turns.get(key) ?? { semaphore: Semaphore.makeUnsafe(1), users: 0 }
      turn.users++
      turns.set(key, turn)
      return turn
    }),
    ({ semaphore }) => semaphore.withPermit(work),
    (turn) => Effect.sync(() => { if (--turn.users === 0) turns.delete(key) }))
}
