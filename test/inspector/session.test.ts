import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import type { JournalEntry } from "../../src/domain/Sight.ts"
import { decodeRecording, encodeRecording } from "../../src/domain/Sight/Recording.ts"
import { visibleIn } from "../../console/inspector/journal/filter.ts"
import { momentOfStep, stepOf } from "../../console/inspector/journal/steps.ts"
import { append, load, look, mostEntries, nothing, ofRecording, type Session, toRecording, withCharts } from "../../console/inspector/session/Session.ts"
import { eventLabels } from "../../src/domain/Sight/eventLabels.ts"
import { momentAt, positionOf } from "../../console/inspector/session/timeline.ts"
import { treesAt } from "../../console/inspector/session/trees.ts"
import { began, charts, journal, machine, recording, supervisor } from "./sample.ts"

const join = "agent/networks/net_dev/join"
const alias = "agent/networks/net_dev/alias/api-0:8080"
const at = (session: Session, position: number, address: string) =>
  treesAt(session, momentAt(session.timeline, position)).find(({ log }) => log.agent === "host-1")?.actors.find((actor) => actor.address === address)
const entry = (seq: number, time: number, more: Partial<JournalEntry> = {}): JournalEntry =>
  ({ seq, at: time, address: "agent/x", kind: "event", event: "e", from: "a", state: "b", detail: null, ...more })
const times = (session: Session) => session.timeline.map(({ agent, entry }) => `${agent}@${entry.at}`)

describe("a recording", () => {
  const session = ofRecording(recording())
  it("is stepped through, back and forth", () => {
    const states = (address: string) => [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((position) => at(session, position, address)).map((actor) => actor?.status === "running" ? actor.state : actor?.status)
    assert.deepStrictEqual(states(join), ["joined", "failed", "failed", "failed", "failed", "failed", "joining", "waitingForPeers", "joined", "joined"].map((state) => `member.${state}`))
    assert.deepStrictEqual(states(alias), ["listening", "listening", "restarting", "restarting", "", "planned", "planned", "planned", "planned", "opening"])
    assert.deepStrictEqual(treesAt(session, "now").map(({ actors }) => actors), treesAt(session, momentAt(session.timeline, 9)).map(({ actors }) => actors))
  })
  it("that tells of an actor twice, or of children before parents, has each once and in order", () => {
    const actors = [supervisor("a/b"), supervisor("a"), supervisor("a/b", "oneForAll")]
    const [tree] = treesAt(ofRecording({ at: 0, product: "", entries: [], processes: [{ agent: null, seq: 0, actors, charts: [] }] }), "now")
    assert.deepStrictEqual(tree!.actors.map(({ address, machine }) => `${address} ${machine}`), ["a oneForOne", "a/b oneForAll"])
  })
  it("is saved as it was opened", () => {
    const saved = Result.getOrThrow(decodeRecording(encodeRecording(toRecording(session, began))))
    assert.deepStrictEqual({ ...saved, product: "0.1.0" }, recording())
  })
})

describe("what a server tells", () => {
  const entries = journal.map(({ entry }) => entry)
  const now = treesAt(ofRecording(recording()), "now").find(({ log }) => log.agent === "host-1")!.actors
  const loaded = load(nothing, { agent: "host-1", actors: now, charts, entries })

  it("goes back as far as its journal", () => {
    assert.deepStrictEqual(at(loaded, 9, join), now.find(({ address }) => address === join))
    assert.strictEqual(at(loaded, 1, join)?.state, "member.failed")
    assert.strictEqual(at(loaded, 0, join)?.state, "member.joined")
    assert.strictEqual(toRecording(loaded, began).processes[0]!.seq, 10)
  })
  it("grows, by time across processes and in its own order within one", () => {
    let session = load(load(nothing, { agent: "one", actors: [], charts: [], entries: [] }), { agent: "two", actors: [], charts: [], entries: [] })
    session = append(session, "one", [entry(1, 10), entry(2, 30)])
    session = append(session, "two", [entry(1, 20), entry(2, 40)])
    assert.deepStrictEqual(times(session), ["one@10", "two@20", "one@30", "two@40"])
    session = append(session, "one", [entry(3, 35)]) // it came late
    session = append(session, "two", [entry(3, 5)]) // its clock was set back
    assert.deepStrictEqual(times(session), ["one@10", "two@20", "one@30", "one@35", "two@40", "two@5"])
  })
  it("begins anew with a process that begins anew", () => {
    const session = append(loaded, "host-1", [entry(1, began + 60_000, { kind: "started", address: "agent", detail: "oneForOne" })])
    assert.deepStrictEqual(treesAt(session, "now")[0]!.actors.map(({ address }) => address), ["agent"])
    assert.strictEqual(at(session, 8, join)?.state, "member.joined")
  })
  it("shows what waits in mailboxes, new processes, and who does not answer, without touching the past", () => {
    const seen = now.map((actor) => actor.address === join ? { ...actor, mailbox: 7 } : actor)
    const session = look(loaded, [{ agent: "host-1", problem: null, actors: seen }, { agent: "host-9", problem: "away", actors: [supervisor("agent")] }])
    assert.strictEqual(treesAt(session, "now")[0]!.actors.find(({ address }) => address === join)?.mailbox, 7)
    assert.strictEqual(at(session, 9, join)?.mailbox, 0)
    assert.deepStrictEqual(session.processes.map(({ agent, problem }) => [agent, problem]), [["host-1", null], ["host-9", "away"]])
  })
  it("keeps the charts of machines that run no more, and learns new ones", () => {
    const later = { ...charts[0]!, machine: "later" }
    const session = withCharts(loaded, "host-1", [charts[1]!, later])
    assert.deepStrictEqual(session.processes[0]!.charts.map(({ machine }) => machine), ["networkJoin", "aliasListener", "sandbox", "later"])
  })
  it("is the same session when nothing is new", () => {
    assert.strictEqual(look(loaded, [{ agent: "host-1", problem: null, actors: now }]), loaded)
  })
  it("is kept within bounds: the oldest goes, the tree it led to stays", () => {
    let session = load(nothing, { agent: "host-1", actors: [machine("agent/x", "m", "s0")], charts: [], entries: [] })
    const moves = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => entry(from + index + 1, from + index, { from: `s${from + index}`, state: `s${from + index + 1}` }))
    session = append(append(session, "host-1", moves(0, mostEntries)), "host-1", moves(mostEntries, mostEntries + 10))
    assert.strictEqual(session.timeline.length, mostEntries + 10 - mostEntries / 10)
    assert.strictEqual(at(session, 0, "agent/x")?.state, `s${mostEntries / 10}`)
    for (const position of [1, 999, 1000, 1001, 40_500]) assert.strictEqual(at(session, position, "agent/x")?.state, `s${mostEntries / 10 + position}`)
  })
})

describe("steps through some of the entries", () => {
  const { timeline } = ofRecording(recording())
  const of = (agent: string | null, address: string, text = "") => visibleIn(timeline, { text, only: { agent, address } }, eventLabels(charts))
  it("count only those of the actor and below it", () => {
    assert.deepStrictEqual(of("host-1", join), [0, 5, 6, 7])
    assert.deepStrictEqual([of("host-1", "agent"), of("host-1", ""), of(null, "")].map(({ length }) => length), [9, 9, 0])
  })
  it("count only those that have all words, and none that is not wanted", () => {
    const having = (text: string) => visibleIn(timeline, { text, only: undefined }, eventLabels(charts))
    assert.deepStrictEqual(having("DONE: join"), [6])
    assert.deepStrictEqual(having("meshd -is"), [0, 5])
    assert.deepStrictEqual(having(" - "), having(""))
    assert.deepStrictEqual(of("host-1", join, "-meshd"), [6, 7])
  })
  it("lead to moments of the whole timeline and back", () => {
    const visible = of("host-1", join)
    const positions = [0, 1, 2, 3, 4, 5].map((step) => positionOf(timeline, momentOfStep(timeline, visible, step)))
    assert.deepStrictEqual(positions, [0, 1, 6, 7, 8, 8])
    assert.deepStrictEqual([0, 1, 5, 6, 9].map((position) => stepOf(visible, position)), [0, 1, 1, 2, 4])
  })
})
