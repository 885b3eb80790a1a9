/**
 * The interleaving: in each round every contestant takes every step once, and who comes first moves on by one each round,
 * so that drift of the machine falls on all of them alike.
 */
import { ForeignLoad } from "../ForeignLoad.ts"
import { note, options } from "./options.ts"

/** What one step yields, by figure. */
export type Readings = Readonly<Record<string, number>>

export interface Outcome {
  readonly samples: (figure: string, contestant: string) => ReadonlyArray<number>
  readonly names: ReadonlyArray<string>
  readonly foreignLoad: ReadonlyArray<number>
}

export const contest = async <C extends { readonly name: string }>(
  title: string, contestants: ReadonlyArray<C>, steps: ReadonlyArray<(contestant: C) => Promise<Readings>>
): Promise<Outcome> => {
  const { patienceMs, rounds } = options()
  const load = new ForeignLoad(patienceMs)
  const found = new Map<string, Array<number>>()
  for (let round = 0; round < rounds; round++) {
    note(`${title}: round ${round + 1} of ${rounds}`)
    for (const step of steps) {
      for (let i = 0; i < contestants.length; i++) {
        const contestant = contestants[(round + i) % contestants.length]!
        await load.quiet()
        for (const [figure, value] of Object.entries(await step(contestant))) {
          const key = `${figure} ${contestant.name}`
          found.set(key, [...found.get(key) ?? [], value])
        }
      }
    }
  }
  return { samples: (figure, name) => found.get(`${figure} ${name}`) ?? [], names: contestants.map((c) => c.name), foreignLoad: load.samples }
}
