/** Where processor time goes by the engine's sampling profiler: unlike a difference of two runs it does not mind what else the machine does. */
import { Effect } from "effect"
import { Session, type Profiler } from "node:inspector/promises"

const samplingIntervalUs = 100
/** Not the work's own: waiting, and the profiler's thread. */
const foreign = new Set(["(idle)", "(program)"])

/** The share of the work's processor time, 0 to 1, that is spent in functions of this name and in what they call. */
export const shareOf = (name: string, work: Effect.Effect<unknown>): Effect.Effect<number> => Effect.gen(function*() {
  const session = new Session()
  session.connect()
  yield* Effect.promise(async () => {
    await session.post("Profiler.enable")
    await session.post("Profiler.setSamplingInterval", { interval: samplingIntervalUs })
    await session.post("Profiler.start")
  })
  yield* work
  const { profile } = yield* Effect.promise(() => session.post("Profiler.stop"))
  session.disconnect()
  return share(name, profile)
})

const share = (name: string, { nodes, samples = [] }: Profiler.Profile): number => {
  const below = new Set<number>()
  for (const { callFrame, children = [], id } of nodes) // parents come before their children
    if (callFrame.functionName === name || below.has(id)) for (const each of [id, ...children]) below.add(each)
  const others = new Set(nodes.filter(({ callFrame }) => foreign.has(callFrame.functionName)).map(({ id }) => id))
  const own = samples.filter((id) => !others.has(id))
  return own.filter((id) => below.has(id)).length / own.length
}
