/**
 * Stores what comes in bursts: items that arrive while others are being stored are stored together. Agents answer a new version nearly
 * at once, and each transaction holds the next answer up.
 */
import { Effect, Semaphore } from "effect"

interface Burst<A, E> { readonly items: Array<A>; readonly stored: Effect.Effect<void, E> }

/** What adds an item, and is done when that is stored. */
export const makeBursts = <A, E>(store: (items: ReadonlyArray<A>) => Effect.Effect<void, E>): (item: A) => Effect.Effect<void, E> => {
  const oneBurst = Semaphore.makeUnsafe(1).withPermit

  const burst = (): Burst<A, E> => {
    const items: Array<A> = []
    // What other connections have brought already is read first.
    const stored = oneBurst(Effect.andThen(Effect.yieldNow, Effect.suspend(() => {
      collecting = burst()
      return store(items)
    })))
    // Whoever comes first stores for all: it must not be stopped on the way.
    return { items, stored: Effect.runSync(Effect.cached(Effect.uninterruptible(stored))) }
  }
  let collecting = burst()

  return (item) => Effect.suspend(() => {
    collecting.items.push(item)
    return collecting.stored
  })
}
