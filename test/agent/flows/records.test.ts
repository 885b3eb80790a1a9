/** The store of flow records: bounded, readable after a kill, and indifferent to a disk that refuses. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Disk } from "../../../src/agent/Disk.ts"
import { openRecords } from "../../../src/agent/flows/Records.ts"
import { openSegments } from "../../../src/agent/flows/segments.ts"
import { flow, query, refusal } from "../../harness/sampleFlows.ts"
import { temporaryFolder } from "../settings.ts"

const linesIn = (folder: string, bounds: Parameters<typeof openSegments>[1]) => Effect.gen(function*() {
  const files: Array<ReadonlyArray<string>> = []
  yield* openSegments(folder, bounds).newestFirst((lines) => { files.push(lines); return "more" })
  return files
})

describe("segments", () => {
  const bounds = { segmentBytes: 20, segments: 3 }

  it.effect("never hold more than their bound, and lose the oldest", () => Effect.gen(function*() {
    const folder = join(yield* temporaryFolder, "flows")
    const segments = openSegments(folder, bounds)
    for (let n = 0; n < 40; n++) yield* segments.append([`line ${n} long`])
    assert.deepStrictEqual(readdirSync(folder).sort(), ["000000000017.jsonl", "000000000018.jsonl", "000000000019.jsonl"])
    assert.deepStrictEqual(yield* linesIn(folder, bounds), [["line 38 long", "line 39 long"], ["line 36 long", "line 37 long"], ["line 34 long", "line 35 long"]])
  }))

  it.effect("a successor goes on in the last file, and after half a line in a new one; half a line is not read", () => Effect.gen(function*() {
    const folder = join(yield* temporaryFolder, "flows")
    yield* openSegments(folder, bounds).append(["one"])
    yield* openSegments(folder, bounds).append(["two"])
    assert.deepStrictEqual(readdirSync(folder), ["000000000000.jsonl"])
    appendFileSync(join(folder, "000000000000.jsonl"), "thr")
    yield* openSegments(folder, bounds).append(["four"])
    writeFileSync(join(folder, "somebody-elses.txt"), "x")
    assert.deepStrictEqual(yield* linesIn(folder, bounds), [["four"], ["one", "two"]])
  }))

  it.effect("what a full disk took half of is left behind, and does not pile up", () => Effect.gen(function*() {
    const folder = join(yield* temporaryFolder, "flows")
    const disk = yield* Disk
    let full = false
    const filling: Disk = { ...disk, appendUnsynced: (path, text) => full ? disk.appendUnsynced(path, text.slice(0, 2)).then(() => Promise.reject(new Error("ENOSPC"))) : disk.appendUnsynced(path, text) }
    const segments = openSegments(folder, bounds)
    const append = (line: string) => Effect.provideService(segments.append([line]), Disk, filling)
    yield* append("one")
    full = true
    for (let n = 0; n < 10; n++) assert.include((yield* Effect.flip(append("lost"))).message, "ENOSPC")
    full = false
    yield* append("two")
    assert.isAtMost(readdirSync(folder).length, bounds.segments)
    assert.deepStrictEqual((yield* linesIn(folder, bounds))[0], ["two"])
  }))
})

describe("records", () => {
  const opened = Effect.gen(function*() {
    const folder = join(yield* temporaryFolder, "flows")
    const records = yield* openRecords(folder)
    yield* Effect.forkScoped(records.keep)
    yield* Effect.yieldNow
    yield* TestClock.adjust(2000)
    return { folder, records }
  })
  const ids = (found: { readonly flows: ReadonlyArray<{ readonly id: string }> }) => found.flows.map(({ id }) => id)

  it.effect("are found at once, the newest first, and what was told is in the file", () => Effect.gen(function*() {
    const { folder, records } = yield* opened
    const written = () => readFileSync(join(folder, "000000000000.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line).id)
    records.add(flow({ id: "a", closedAt: 1500 }))
    assert.deepStrictEqual(ids(yield* records.find(query())), ["a"])
    assert.deepStrictEqual(written(), ["a"])
    records.add(flow({ id: "b", closedAt: 1600 }))
    assert.deepStrictEqual(ids(yield* records.find(query())), ["b", "a"])
    assert.deepStrictEqual(written(), ["a", "b"])
    assert.deepStrictEqual(ids(yield* records.find(query({ limit: 1 }))), ["b"])
  }))

  it.effect("only as far back as was asked, and what is no record is passed over", () => Effect.gen(function*() {
    const { folder, records } = yield* opened
    yield* openSegments(folder, { segmentBytes: 1000, segments: 2 }).append(["nonsense", "null", "[]", `{"networkId":"${query().networkId}"}`, JSON.stringify(flow({ id: "old", closedAt: 10 })), JSON.stringify(flow({ id: "new", closedAt: 1900 }))])
    assert.deepStrictEqual(ids(yield* records.find(query({ withinMs: 1000 }))), ["new"])
    assert.deepStrictEqual(ids(yield* records.find(query({ withinMs: 5000 }))), ["new", "old"])
  }))

  it.effect("refusals are told when they are asked for", () => Effect.gen(function*() {
    const { records } = yield* opened
    records.add(refusal())
    records.add(flow({ id: "denied", verdict: "denied" }))
    records.add(flow())
    assert.deepStrictEqual((yield* records.find(query())).refusals, [])
    const { flows, refusals } = yield* records.find(query({ denied: true }))
    assert.deepStrictEqual([flows.map(({ id }) => id), refusals], [["denied"], [refusal()]])
    records.add(flow({ id: "denied later", verdict: "denied" }))
    const few = yield* records.find(query({ denied: true, limit: 1 }))
    assert.deepStrictEqual([few.flows.map(({ id }) => id), few.refusals], [["denied later"], [refusal()]], "those that are to be added up are not fewer for that")
    records.add(refusal({ lastAt: 1900 }))
    assert.deepStrictEqual((yield* records.find(query({ denied: true, apart: true, limit: 1 }))).refusals, [refusal({ lastAt: 1900 })])
  }))

  it.effect("more than can wait is dropped and counted; so is what the disk refuses, which is no failure", () => Effect.gen(function*() {
    const { records } = yield* opened
    for (let n = 0; n < 5000; n++) records.add(flow({ id: `f${n}`, closedAt: 2000 }))
    assert.strictEqual(records.lost(), 5000 - 4096)
    assert.lengthOf((yield* records.find(query({ limit: 10_000 }))).flows, 4096)

    const folder = yield* temporaryFolder
    writeFileSync(join(folder, "flows"), "a file where the folder should be")
    const other = yield* openRecords(join(folder, "flows"))
    other.add(flow())
    yield* other.find(query())
    assert.strictEqual(other.lost(), 1)
  }))

  it.effect("are written without being asked for, and at the end", () => Effect.gen(function*() {
    const folder = join(yield* temporaryFolder, "flows")
    const records = yield* openRecords(folder)
    const keeping = yield* Effect.forkChild(records.keep)
    const lines = linesIn(folder, { segmentBytes: 1000, segments: 2 })
    records.add(flow())
    yield* Effect.yieldNow
    yield* TestClock.adjust(250)
    assert.lengthOf((yield* Effect.repeat(lines, { until: (files) => files.length === 1 }))[0]!, 1)
    records.add(flow())
    yield* Fiber.interrupt(keeping)
    assert.lengthOf((yield* lines)[0]!, 2)
  }))
})
