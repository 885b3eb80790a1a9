/** The newest topologies that are kept in memory, while they are read slowly and networks are removed. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Option } from "effect"
import type { NetworkId } from "../../src/domain/Ids.ts"
import type { Topology } from "../../src/domain/Topology.ts"
import { Snapshots } from "../../src/control/Snapshots.ts"
import { Topologies } from "../../src/control/Topologies.ts"

const dev = "net_dev" as NetworkId, ops = "net_ops" as NetworkId
const at = (networkId: NetworkId, version: number) => Option.some({ networkId, version } as Topology)
type Read = Option.Option<Topology>

/** What the next reads of a database that answers when it is told to come to. */
const withReads = <A, E>(use: (reads: Array<Deferred.Deferred<Read>>) => Effect.Effect<A, E, Snapshots>): Effect.Effect<A, E> => {
  const reads: Array<Deferred.Deferred<Read>> = []
  const load = () => Effect.suspend(() => {
    const read = Deferred.makeUnsafe<Read>()
    reads.push(read)
    return Deferred.await(read)
  })
  return Effect.provide(use(reads), Layer.provide(Snapshots.layer, Layer.succeed(Topologies, { load } as unknown as Topologies["Service"])))
}
const answer = (read: Deferred.Deferred<Read> | undefined, found: Read) => Deferred.succeed(read!, found)

describe("snapshots", () => {
  it.effect("a newer version is kept though another network is found removed while it is read", () => withReads((reads) => Effect.gen(function*() {
    const snapshots = yield* Snapshots
    const first = yield* Effect.forkChild(snapshots.refresh(dev), { startImmediately: true })
    yield* answer(reads[0], at(dev, 8))
    yield* Fiber.join(first)
    const second = yield* Effect.forkChild(snapshots.refresh(dev), { startImmediately: true })
    const removed = yield* Effect.forkChild(snapshots.refresh(ops), { startImmediately: true })
    yield* answer(reads[2], Option.none())
    assert.deepStrictEqual(yield* Fiber.join(removed), Option.none())
    yield* answer(reads[1], at(dev, 9))
    yield* Fiber.join(second)
    assert.deepStrictEqual(yield* snapshots.latest(dev), at(dev, 9))
  })))

  it.effect("a network that is found removed while an older read of it is under way does not come back with that", () => withReads((reads) => Effect.gen(function*() {
    const snapshots = yield* Snapshots
    const older = yield* Effect.forkChild(snapshots.refresh(dev), { startImmediately: true })
    const newer = yield* Effect.forkChild(snapshots.refresh(dev), { startImmediately: true })
    yield* answer(reads[1], Option.none())
    yield* Fiber.join(newer)
    yield* answer(reads[0], at(dev, 8))
    yield* Fiber.join(older)
    const latest = yield* Effect.forkChild(snapshots.latest(dev), { startImmediately: true })
    yield* answer(reads[2], Option.none()) // it asks the database
    assert.deepStrictEqual(yield* Fiber.join(latest), Option.none())
  })))

  it.effect("the newest is never replaced by an older one that was read slowly", () => withReads((reads) => Effect.gen(function*() {
    const snapshots = yield* Snapshots
    const older = yield* Effect.forkChild(snapshots.refresh(dev), { startImmediately: true })
    const newer = yield* Effect.forkChild(snapshots.refresh(dev), { startImmediately: true })
    yield* answer(reads[1], at(dev, 9))
    yield* Fiber.join(newer)
    yield* answer(reads[0], at(dev, 8))
    assert.deepStrictEqual([yield* Fiber.join(older), yield* snapshots.latest(dev)], [at(dev, 9), at(dev, 9)])
  })))
})
