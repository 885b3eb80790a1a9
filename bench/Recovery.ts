/**
 * What a watching client saw after a process was killed: when the first new stream was answered, and, since one good
 * stream is not yet service, when the last trouble was over.
 */
import { below, product, type Figure } from "./figures.ts"
import type { ForeignLoad } from "./ForeignLoad.ts"
import type { Watch } from "./Watch.ts"

/** How long the client watches, the kill included; the next kill comes after it. */
export const watchSeconds = 10

/** Milliseconds from a kill until the first new stream was answered, and until none was refused or stalled any more. */
export interface Recovery {
  readonly first: number
  readonly steady: number
}

/** A try that took longer counts as trouble. */
const stallMs = 250

/** An answer this soon after the signal was on its way before it; no restart is as quick. */
const dyingMs = 100

export const recovery = async (seen: Watch, killed: number): Promise<Recovery> => {
  let first: number | undefined, steady = Number.NaN, down = false
  for (let sight = await seen.read(); sight !== undefined; sight = await seen.read()) {
    if (sight.ended < killed + (sight.answers ? dyingMs : 0)) continue
    if (!sight.answers) down = true
    else if (down || sight.ended - sight.begun > stallMs) {
      steady = sight.ended - killed
      first ??= steady
      down = false
    }
  }
  if (down || first === undefined) throw new Error(`the watching client was not answered again within ${watchSeconds} s, or saw no gap`)
  return { first, steady }
}

export const recoveryFigures = (row: string, what: string, samples: ReadonlyArray<Recovery>, load: ForeignLoad): ReadonlyArray<Figure> => {
  const common = { row, unit: "ms", references: [], foreignLoad: load.samples }
  return [
    { ...common, what: `first new stream after a ${what}`, ours: { name: product, samples: samples.map((s) => s.first) }, aim: below(3000) },
    { ...common, what: `last refused or stalled stream after a ${what}`, ours: { name: product, samples: samples.map((s) => s.steady) } }
  ]
}
