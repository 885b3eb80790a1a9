/**
 * The interleaving: in each round every contestant is measured once for every figure, and who comes first moves on by one
 * each round, so that drift of the machine falls on all of them alike.
 */
import { measurements, take, type Path } from "./loadgen.ts"
import { quietMoment } from "../quiet.ts"
import { note, options } from "./options.ts"

export interface Contestant extends Path {
  readonly name: string
}

export interface Outcome {
  /** Samples by figure (`tput1`, `rtt50`, ...), then by contestant. */
  readonly samples: (figure: string, contestant: string) => ReadonlyArray<number>
  readonly names: ReadonlyArray<string>
  readonly foreignLoad: number
}

export const contest = async (title: string, contestants: ReadonlyArray<Contestant>): Promise<Outcome> => {
  const { patienceMs, rounds, seconds } = options()
  const found = new Map<string, Array<number>>()
  let foreignLoad = 0
  for (let round = 0; round < rounds; round++) {
    note(`${title}: round ${round + 1} of ${rounds}`)
    for (const measurement of measurements) {
      for (let i = 0; i < contestants.length; i++) {
        const contestant = contestants[(round + i) % contestants.length]!
        foreignLoad = Math.max(foreignLoad, await quietMoment(patienceMs))
        for (const [figure, value] of Object.entries(await take(measurement, contestant, seconds))) {
          const key = `${figure} ${contestant.name}`
          found.set(key, [...found.get(key) ?? [], value])
        }
      }
    }
  }
  return { samples: (figure, name) => found.get(`${figure} ${name}`) ?? [], names: contestants.map((c) => c.name), foreignLoad }
}
