/** Numbers from a seed: the same seed, the same numbers, on every machine. Each part of a run draws from a stream of its own. */
import type { Random } from "effect"

export interface Draw {
  /** 0 to 1, without 1. */
  readonly next: () => number
  /** 0 to `below`, without `below`. */
  readonly below: (below: number) => number
  readonly between: (least: number, most: number) => number
  readonly chance: (probability: number) => boolean
  readonly pick: <A>(items: ReadonlyArray<A>) => A
}

const hash = (text: string): number => {
  let state = 0x811c9dc5
  for (let at = 0; at < text.length; at++) state = Math.imul(state ^ text.charCodeAt(at), 0x01000193)
  return state
}

/** Mulberry32. */
export const draw = (seed: number, stream: string): Draw => {
  let state = (hash(`${seed}/${stream}`) + seed) | 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  return {
    next, below,
    between: (least, most) => least + below(most - least + 1),
    chance: (probability) => next() < probability,
    pick: (items) => items[below(items.length)]!
  }
}

/** Effect's random numbers out of a stream. */
export const randomService = ({ next }: Draw): Random.Random => ({
  nextDoubleUnsafe: next,
  nextIntUnsafe: () => Math.floor((next() - 0.5) * 2 * Number.MAX_SAFE_INTEGER)
})
