/**
 * One network's topology on disk: a line with the whole, then a line for each delta since, so that a small change costs a
 * small write. A line counts once it is synced; what a crash leaves of one is not read. Deltas that outgrow the whole make
 * way for a new one.
 */
import { Effect, Option } from "effect"
import { changeState, receivedState } from "../../actors/machines/topology.ts"
import { patch, type Topology, type TopologyDelta } from "../../domain/Topology.ts"
import { appendLine, decoded, FileTrouble, readText, remove, removeUnfinished, writeAtomic } from "../files.ts"

/** A whole that is smaller than this is not written anew for a few deltas. */
const leastDeltas = 64 * 1024

export interface TopologyFile {
  /** None: it is not there. Trouble: it cannot be understood. */
  readonly load: Effect.Effect<Option.Option<Topology>, FileTrouble>
  /** `delta`: what took the topology to what it is. Where nothing can be written the file goes: an older version would grant what has been revoked. */
  readonly save: (topology: Topology, delta: TopologyDelta | undefined) => Effect.Effect<void, FileTrouble>
  readonly remove: Effect.Effect<void, FileTrouble>
}

/** What is there: the version, and how long its parts are. */
interface Written { readonly version: number; readonly whole: number; readonly deltas: number }

export const topologyFile = (path: string): TopologyFile => {
  /** Undefined: no delta can be added. */
  let written: Written | undefined

  const removed = Effect.andThen(Effect.sync(() => { written = undefined }), remove(path))

  const saveWhole = (topology: Topology) => Effect.gen(function*() {
    const line = receivedState.encode(topology)
    yield* writeAtomic(path, `${line}\n`)
    written = { version: topology.version, whole: line.length, deltas: 0 }
  }).pipe(Effect.tapError(() => Effect.ignore(removed)))

  const saveDelta = Effect.fnUntraced(function*(delta: TopologyDelta, before: Written) {
    const line = changeState.encode(delta)
    written = undefined // until it is there: after half a line nothing may follow
    yield* appendLine(path, line)
    written = { ...before, version: delta.version, deltas: before.deltas + line.length }
  })

  return {
    load: Effect.gen(function*() {
      yield* removeUnfinished(path)
      const text = yield* readText(path)
      if (text === undefined) return Option.none()
      const [whole = "", ...deltas] = text.split("\n")
      const rest = deltas.pop() // empty, unless a crash has left half a line
      const topology = yield* understood(path, whole, deltas)
      if (rest === "") written = { version: topology.version, whole: whole.length, deltas: text.length - whole.length }
      return Option.some(topology)
    }),
    save: (topology, delta) => Effect.suspend(() => {
      const before = written
      const isNext = before !== undefined && delta?.base === before.version && delta.version === topology.version
      return isNext && before.deltas <= Math.max(before.whole, leastDeltas)
        ? Effect.catch(saveDelta(delta, before), () => saveWhole(topology))
        : saveWhole(topology)
    }).pipe(Effect.uninterruptible),
    remove: Effect.uninterruptible(removed)
  }
}

const understood = (path: string, whole: string, deltas: ReadonlyArray<string>): Effect.Effect<Topology, FileTrouble> => Effect.gen(function*() {
  let topology = yield* decoded(path, receivedState, whole)
  for (const line of deltas) topology = yield* Effect.fromOption(patch(topology, yield* decoded(path, changeState, line))).pipe(
    Effect.mapError(() => new FileTrouble({ path, message: `${path}: a change does not fit what is before it; ${receivedState.without}` })))
  return topology
})
