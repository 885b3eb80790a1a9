import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { ActorState, Chart, JournalEntry } from "../../../src/domain/Sight.ts"
import { decodeRecording, encodeRecording, largestRecording, type Recording } from "../../../src/domain/Sight/Recording.ts"
import { anotherBegins } from "../../../src/domain/Sight/Place.ts"
import { treeAt } from "../../../src/domain/Sight/treeAt.ts"

const entry = (seq: number, kind: JournalEntry["kind"] = "event", address = "agent/link"): JournalEntry =>
  ({ seq, at: 1000 + seq, address, kind, event: kind === "event" ? "session.opened" : null, from: null, state: "online", detail: kind === "started" ? "agentLink" : null })
const recording: Recording = {
  at: 1000, product: "0.1.0", processes: [{ agent: null, seq: 0, actors: [], charts: [] }, { agent: "host-1", seq: 4, actors: [], charts: [] }],
  entries: [{ agent: null, entry: entry(1, "started") }, { agent: "host-1", entry: entry(5) }, { agent: null, entry: entry(2) }]
}
const lines = encodeRecording(recording).trimEnd().split("\n")

/** Why a text is refused. */
const refusal = (text: string): string => {
  const { hint, message, reason } = Result.getOrThrow(Result.flip(decodeRecording(text)))
  assert.isAbove(hint.length, 10)
  return `${reason}: ${message}`
}
const replaced = (index: number, line: string): string => lines.toSpliced(index, 1, line).join("\n")

describe("a recording", () => {
  it.prop("comes back from its file as it was", [Schema.Struct({
    actors: Schema.Array(ActorState), charts: Schema.Array(Chart), entries: Schema.Array(JournalEntry), agent: Schema.NullOr(Schema.String), seq: Schema.Int
  })], ([{ actors, agent, charts, entries, seq }]) => {
    const whole: Recording = { at: 1, product: "p", processes: [{ agent, seq, actors, charts }], entries: entries.map((entry) => ({ agent, entry })) }
    assert.deepStrictEqual(Result.getOrThrow(decodeRecording(encodeRecording(whole))), JSON.parse(JSON.stringify(whole)))
  }, { arbitrary: { runs: 100 } })

  it("may lack its last line break, or have others of Windows", () => {
    assert.deepStrictEqual(Result.getOrThrow(decodeRecording(lines.join("\n"))), recording)
    assert.deepStrictEqual(Result.getOrThrow(decodeRecording(lines.join("\r\n"))), recording)
  })

  it("that is none is refused", () => {
    for (const text of ["", "\n\n", "hello", "{}", "[".repeat(1_000_000), "\u0000\u0001", `{"_tag":"Header","format":"other","version":1}`]) assert.match(refusal(text), /^notARecording: /)
  })

  it("of another version is refused by its header alone", () => {
    assert.strictEqual(refusal(`{"_tag":"Header","format":"gstacks-journal","version":2,"more":true}\nwhatever`),
      "otherVersion: This recording has version 2; this program reads version 1.")
  })

  it("that is cut off says how much was found", () => {
    const text = encodeRecording(recording)
    for (let length = lines[0]!.length; length < text.length - 2; length++) assert.match(refusal(text.slice(0, length)), /^truncated: .* [0-3] entries were found/)
    assert.strictEqual(refusal(lines.toSpliced(4, 1).join("\n")), "truncated: This recording is not whole: 2 entries were found, 3 promised.")
  })

  it("with a bad line names the line", () => {
    assert.strictEqual(refusal(replaced(3, "{}")), "badLine: Line 4 of this recording is neither a process, an entry nor the end.")
    assert.strictEqual(refusal(replaced(3, `{"_tag":"Entry","agent":null,"entry":{"seq":"1"}}`)), "badLine: Line 4 of this recording is neither a process, an entry nor the end.")
    assert.strictEqual(refusal(replaced(3, lines[0]!)), "badLine: Line 4 of this recording is a second header.")
    assert.strictEqual(refusal(replaced(2, lines[1]!)), "badLine: Line 3 of this recording describes a process for the second time.")
    assert.strictEqual(refusal(replaced(2, lines[3]!)), "badLine: Line 5 of this recording is of a process that no line before it describes.")
    assert.strictEqual(refusal([...lines, lines[3]!].join("\n")), "badLine: Line 7 of this recording is the end, but more follows.")
    assert.strictEqual(refusal(replaced(0, `{"_tag":"Header","format":"gstacks-journal","version":1}`)), "badLine: Line 1 of this recording is no whole header.")
  })

  it("that is too large is not parsed", () => {
    assert.match(refusal(`${lines[0]}\n${" ".repeat(largestRecording)}`), /^tooLarge: .* at most 67108864 are read/)
  })
})

describe("treeAt of entries that fit nothing", () => {
  it("passes them over", () => {
    assert.deepStrictEqual(treeAt([], [entry(1), entry(2, "crashed"), entry(3, "removed"), entry(4, "dropped")], 4), [])
    assert.deepStrictEqual(treeAt([], [entry(1, "started")], -5), [])
    assert.strictEqual(treeAt([], [entry(1, "started")], 1_000_000).length, 1)
  })
  it("begins anew when another process's numbers begin", () => {
    const entries = [entry(10, "started", "agent"), entry(11, "started", "agent/link"), entry(1, "started", "agent")]
    assert.deepStrictEqual([2, 3].map((count) => treeAt([], entries, count).map(({ address, restarts }) => `${address} ${restarts}`)), [["agent 0", "agent/link 0"], ["agent 0"]])
  })
  it("begins anew where a log says that another process begins, whatever its numbers", () => {
    const page = { entries: [entry(21, "started", "agent/dns")], next: 21, dropped: 20, instance: "b" }
    const entries = [entry(19, "started", "agent"), entry(20, "started", "agent/link"), anotherBegins(page, 5), ...page.entries]
    assert.deepStrictEqual([2, 3, 4].map((count) => treeAt([], entries, count).map(({ address }) => address)), [["agent", "agent/link"], [], ["agent/dns"]])
    assert.deepStrictEqual([entries[2]!.at, anotherBegins({ ...page, entries: [] }, 5).at], [1021, 5])
  })
  it("keeps any addresses, parents first, also very many and very deep ones", () => {
    const deep = Array.from({ length: 2000 }, (_, depth) => entry(depth + 1, "started", "a/".repeat(depth) + "a"))
    const wide = Array.from({ length: 200_000 }, (_, i) => entry(3000 + i, "started", `b${i}`))
    assert.strictEqual(treeAt([], [...deep.toReversed().map((one, i) => ({ ...one, seq: i + 1 })), ...wide], Infinity).length, 202_000)
    assert.deepStrictEqual(treeAt([], ["x/", "/", "", "x", "//y"].map((address, i) => entry(i + 1, "started", address)), 5).map(({ address }) => address), ["", "/", "//y", "x", "x/"])
  })
})
