import { assert, describe, it } from "@effect/vitest"
import type { ActorState } from "../../src/domain/Sight.ts"
import type { ProcessLog } from "../../console/inspector/session/Session.ts"
import type { ProcessTree } from "../../console/inspector/session/trees.ts"
import { keyOf, rowsOf, troubleOf } from "../../console/inspector/tree/rows.ts"
import { treeAction, typedAhead } from "../../console/inspector/tree/treeKeys.ts"
import { machine, supervisor } from "./sample.ts"

const tree = (agent: string | null, actors: ReadonlyArray<ActorState>, problem: string | null = null): ProcessTree => {
  const log: ProcessLog = { agent, problem, seq: 0, actors, charts: [], entries: [], now: actors }
  return { log, actors }
}
const trees = [
  tree(null, [supervisor("control"), supervisor("control/rollouts")]),
  tree("host-1", [
    supervisor("agent"), supervisor("agent/networks"), machine("agent/networks/net_1/alias/api:8080", "aliasListener", "failed", { lastError: "Address in use" }),
    machine("agent/networks/net_1/alias/web:80", "aliasListener", "listening"), machine("agent/link", "agentLink", "session.online")
  ]),
  tree("host-2", [], "it does not answer")
]
const all = { text: "", troubled: false }
const shown = (filter: typeof all, folded: ReadonlyArray<string> = []) => rowsOf(trees, filter, new Set(folded)).map(({ level, name }) => `${"  ".repeat(level - 1)}${name}`)

describe("the rows of the tree", () => {
  it("nest by address, also where an id has slashes", () => {
    assert.deepStrictEqual(shown(all), [
      "control plane", "  control", "    rollouts",
      "agent host-1", "  agent", "    networks", "      net_1/alias/api:8080", "      net_1/alias/web:80", "    link",
      "agent host-2"
    ])
  })
  it("say their place among their siblings", () => {
    const rows = rowsOf(trees, all, new Set())
    assert.deepStrictEqual(rows.slice(3, 9).map(({ position, siblings }) => `${position}/${siblings}`), ["2/3", "1/1", "1/2", "1/2", "2/2", "2/2"])
  })
  it("below a folded one are left out", () => {
    assert.deepStrictEqual(shown(all, [keyOf("host-1", "agent/networks"), keyOf(null, "")]), ["control plane", "agent host-1", "  agent", "    networks", "    link", "agent host-2"])
  })
  it("are those that have the text, with their ancestors, folded or not", () => {
    const found = ["agent host-1", "  agent", "    networks", "      net_1/alias/api:8080"]
    for (const text of ["ADDRESS in use", "api:8080", " failed "]) assert.deepStrictEqual(shown({ ...all, text }, [keyOf("host-1", "agent")]), found)
    assert.deepStrictEqual(shown({ ...all, text: "host-2" }), ["agent host-2"])
    assert.deepStrictEqual(shown({ ...all, text: "no such thing" }), [])
  })
  it("are, when wished, only the troubled ones and processes that do not answer", () => {
    assert.deepStrictEqual(shown({ text: "", troubled: true }), ["agent host-1", "  agent", "    networks", "      net_1/alias/api:8080", "agent host-2"])
  })
})

describe("trouble", () => {
  it("is a restart, an error, or a state that waits for something to become well again", () => {
    const of = (state: string, more: Partial<ActorState> = {}) => troubleOf(machine("a", "m", state, more))
    assert.deepStrictEqual([of("online"), of("session.online"), of("unfailed")], [undefined, undefined, undefined])
    assert.deepStrictEqual([of("backoff"), of("member.failed"), of("{dns: up, link: session.degraded}")], ["backoff", "failed", "degraded"])
    assert.deepStrictEqual([of("online", { status: "restarting" }), of("online", { lastError: "e" }), of("online", { restarts: 1 })], ["restarting", "had an error", "was restarted"])
  })
})

describe("keys in the tree", () => {
  const rows = rowsOf(trees, all, new Set())
  const at = (name: string) => rows.findIndex((row) => row.name === name)
  const key = (name: string, from: string) => treeAction(name, rows, at(from), 4)

  it("move by one, by a page, to the ends, and not beyond", () => {
    assert.deepStrictEqual(["ArrowDown", "ArrowUp", "PageDown", "PageUp", "Home", "End"].map((name) => key(name, "agent host-1")),
      [4, 2, 7, 0, 0, 9].map((move) => ({ move })))
    assert.deepStrictEqual([key("ArrowUp", "control plane"), key("ArrowDown", "agent host-2")], [{ move: 0 }, { move: 9 }])
  })
  it("open and close: right goes in, left goes out", () => {
    const folded = rowsOf(trees, all, new Set([keyOf("host-1", "agent")]))
    assert.deepStrictEqual(treeAction("ArrowRight", folded, 4, 4), { unfold: [keyOf("host-1", "agent")] })
    assert.deepStrictEqual(key("ArrowRight", "networks"), { move: at("net_1/alias/api:8080") })
    assert.isUndefined(key("ArrowRight", "link"))
    assert.deepStrictEqual(key("ArrowLeft", "networks"), { fold: [keyOf("host-1", "agent/networks")] })
    assert.deepStrictEqual(key("ArrowLeft", "net_1/alias/web:80"), { move: at("networks") })
    assert.deepStrictEqual(key("*", "link"), { unfold: [keyOf("host-1", "agent/networks")] })
    assert.deepStrictEqual(key("*", "control plane"), { unfold: [keyOf(null, ""), keyOf("host-1", "")] })
  })
  it("choose, and leave other keys alone", () => {
    assert.deepStrictEqual([key("Enter", "link"), key(" ", "link"), key("Tab", "link"), treeAction("End", [], 0, 4)], [{ choose: at("link") }, { choose: at("link") }, undefined, undefined])
  })
  it("find by the letters typed, onward and round the end", () => {
    assert.deepStrictEqual(["a", "l", "agent h", "NET", "zz"].map((typed) => typedAhead(typed, rows, at("agent host-1"))), [at("agent"), at("link"), at("agent host-1"), at("networks"), undefined])
    assert.strictEqual(typedAhead("c", rows, at("agent host-2")), 0)
  })
})
