/** 10,000 alias listeners in one actor system: what they cost to start and to keep, how many events they take, how long a look takes. */
import { Effect, Schema } from "effect"
import { setImmediate } from "node:timers/promises"
import { ActorState, JournalPage } from "../../src/domain/Sight.ts"
import { product, type Figure } from "../figures.ts"
import { liveBytes, processorTime } from "./measures.ts"
import { populate } from "./Population.ts"

const listeners = 10_000
const looks = 10

const encodeTree = Schema.encodeSync(Schema.fromJsonString(Schema.Array(ActorState)))
const encodePage = Schema.encodeSync(Schema.fromJsonString(JournalPage))

export const many = (rounds: number, found: (figure: Figure) => void) => Effect.gen(function*() {
  const samples = { start: [] as Array<number>, memory: [] as Array<number>, cycle: [] as Array<number>, tree: [] as Array<number>, page: [] as Array<number> }
  for (let round = 0; round < rounds; round++) {
    yield* Effect.scoped(Effect.gen(function*() {
      const population = yield* populate({ hibernates: true })
      const before = liveBytes()
      samples.start.push(yield* processorTime(Effect.repeat(population.add, { times: listeners - 1 })))
      const ms = yield* processorTime(population.cycle)
      samples.cycle.push(3 * listeners / ms * 1000)
      yield* Effect.promise(() => setImmediate()) // the last ones come to rest
      samples.memory.push((liveBytes() - before) / listeners / 1000)
      for (let look = 0; look < looks; look++) {
        samples.tree.push(yield* processorTime(Effect.map(population.sight.actors, encodeTree)))
        samples.page.push(yield* processorTime(Effect.map(population.sight.journal({ after: population.actors.journal.newest - 1000 }), encodePage)))
      }
    }))
  }
  const figure = (what: string, unit: string, values: ReadonlyArray<number>): void =>
    found({ row: "actors", what, unit, ours: { name: product, samples: values }, references: [], foreignLoad: [] })
  figure("start of 10,000 alias listeners, processor time", "ms", samples.start)
  figure("memory of each at rest, a full journal included", "KB", samples.memory)
  figure("events per second of processor time, over all", "1/s", samples.cycle)
  figure("the whole tree as JSON, processor time", "ms", samples.tree)
  figure("a page of 1,000 journal entries as JSON, processor time", "ms", samples.page)
})
