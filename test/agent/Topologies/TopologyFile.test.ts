import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { topologyFile } from "../../../src/agent/Topologies/TopologyFile.ts"
import { diff, type Topology } from "../../../src/domain/Topology.ts"
import { Draft, topologyOf } from "../../domain/topologies.ts"
import { temporaryFolder } from "../settings.ts"

const inFolder = Effect.map(temporaryFolder, (folder) => join(folder, "net.json"))
const loaded = (path: string) => Effect.map(topologyFile(path).load, Option.getOrUndefined)
const rule = (n: number) => ({ rule: n, alias: 0, port: 80, kind: "Any", sandbox: 0, sourceAlias: 0, team: "red" } as const)
/** Each version has another rule. */
const version = (n: number): Topology => topologyOf({
  version: n, members: [{ sandbox: 0, agent: 0, team: "red" }], aliases: [{ alias: 0, sandbox: 0, ports: [80] }], rules: [rule(n % 12)]
})
const savedUpTo = (path: string, last: number) => Effect.gen(function*() {
  const file = topologyFile(path)
  yield* file.save(version(1), undefined)
  for (let n = 2; n <= last; n++) yield* file.save(version(n), diff(version(n - 1), version(n)))
  return file
})

describe("topology file", () => {
  it.effect.prop("gives back what was saved last, deltas or not", [Draft, Draft, Draft], ([a, b, c]) => Effect.gen(function*() {
    const path = yield* inFolder
    const file = topologyFile(path)
    const [first, second, third] = [a, b, c].map((draft, i) => ({ ...topologyOf(draft), version: i + 1 })) as [Topology, Topology, Topology]
    yield* file.save(first, undefined)
    yield* file.save(second, diff(first, second))
    assert.deepStrictEqual(yield* loaded(path), second)
    yield* file.save(third, undefined)
    assert.deepStrictEqual(yield* loaded(path), third)
  }), { arbitrary: { runs: 50 } })

  it.effect("of an agent before there were versions is read, and added to", () => Effect.gen(function*() {
    const path = yield* inFolder
    writeFileSync(path, `${JSON.stringify(version(1))}\n${JSON.stringify(diff(version(1), version(2)))}\n`)
    const file = topologyFile(path)
    assert.deepStrictEqual(Option.getOrUndefined(yield* file.load), version(2))
    yield* file.save(version(3), diff(version(2), version(3)))
    assert.deepStrictEqual(yield* loaded(path), version(3))
  }))

  it.effect("a crash in the middle of a delta leaves the version before it, and what follows is read", () => Effect.gen(function*() {
    const path = yield* inFolder
    const intact = yield* savedUpTo(path, 3)
    const before = statSync(path).size
    yield* intact.save(version(4), diff(version(3), version(4)))
    const text = readFileSync(path)
    for (let size = before; size < text.length; size++) {
      writeFileSync(path, text.subarray(0, size))
      const file = topologyFile(path)
      assert.deepStrictEqual(Option.getOrUndefined(yield* file.load), version(3))
      if (size % 50 > 0) continue
      yield* file.save(version(4), diff(version(3), version(4)))
      yield* file.save(version(5), diff(version(4), version(5)))
      assert.deepStrictEqual(yield* loaded(path), version(5))
    }
    writeFileSync(path, text)
    assert.deepStrictEqual(yield* loaded(path), version(4))
  }))

  it.effect("adds deltas to what is there, and does not grow without bound", () => Effect.gen(function*() {
    const path = yield* inFolder
    const file = yield* savedUpTo(path, 2)
    const inode = statSync(path).ino
    yield* file.save(version(3), diff(version(2), version(3)))
    assert.strictEqual(statSync(path).ino, inode)
    let largest = 0
    for (let n = 4; n < 600; n++) {
      yield* file.save(version(n), diff(version(n - 1), version(n)))
      largest = Math.max(largest, statSync(path).size)
    }
    assert.isBelow(largest, 70_000)
    assert.deepStrictEqual(yield* loaded(path), version(599))
  }))

  it.effect("a delta that does not follow is not added: the whole is written", () => Effect.gen(function*() {
    const path = yield* inFolder
    const file = yield* savedUpTo(path, 2)
    yield* file.save(version(5), diff(version(4), version(5)))
    assert.deepStrictEqual(yield* loaded(path), version(5))
    rmSync(path) // somebody cleans up
    yield* file.save(version(6), diff(version(5), version(6)))
    assert.deepStrictEqual(yield* loaded(path), version(6))
  }))

  it.effect("says that it cannot be understood, and what cannot be written is gone", () => Effect.gen(function*() {
    const path = yield* inFolder
    const file = yield* savedUpTo(path, 2)
    const lines = readFileSync(path, "utf8").split("\n")
    for (const broken of [[lines[1], lines[1], ""], [lines[0], "{", ""], [lines[0], lines[1], lines[1], ""], [""]]) {
      writeFileSync(path, broken.join("\n"))
      assert.match((yield* Effect.flip(loaded(path))).message, /cannot be used|does not fit/)
    }
    rmSync(path)
    mkdirSync(join(path, "in the way"), { recursive: true })
    yield* Effect.flip(file.save(version(3), diff(version(2), version(3))))
    assert.isFalse(existsSync(path))
    yield* file.save(version(4), undefined)
    yield* file.remove
    assert.isUndefined(yield* loaded(path))
  }))
})
