/** From a contest to the figures of its row: which contestant is the product, which the rival, and the aim of each figure. */
import type { Outcome } from "./contest.ts"
import { product, type Aim } from "../figures.ts"
import { deliver } from "./options.ts"

export interface Wanted {
  readonly figure: string
  readonly what: string
  readonly unit: string
  readonly aim?: Aim
}

export const deliverContest = (row: string, rival: string, outcome: Outcome, wanted: ReadonlyArray<Wanted>): void => {
  const others = outcome.names.filter((name) => name !== product && name !== rival)
  for (const { figure, ...rest } of wanted) {
    const of = (name: string) => ({ name, samples: outcome.samples(figure, name) })
    deliver({ row, ...rest, ours: of(product), rival: of(rival), references: others.map(of), foreignLoad: outcome.foreignLoad })
  }
}
