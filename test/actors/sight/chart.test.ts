import { assert, describe, it } from "@effect/vitest"
import { acceptedEvents } from "../../../src/domain/Sight/acceptedEvents.ts"
import { activePaths } from "../../../src/domain/Sight/activePaths.ts"
import { chartMermaid } from "../../../src/domain/Sight/mermaid.ts"
import { stateText } from "../../../src/actors/runtime/stateText.ts"
import { chartOf, chartOnce } from "../../../src/actors/sight/chart.ts"
import { sampleMachine } from "./sampleMachine.ts"

const chart = chartOf(sampleMachine)

describe("chart", () => {
  it("has every state, with what contains it, what is entered first and what it invokes", () => {
    assert.deepStrictEqual(chart.states.map(({ path, parent, type, initial, invokes }) => [path, parent, type, initial, invokes.join()]), [
      ["closed", null, "atomic", true, ""],
      ["opened", null, "parallel", false, ""],
      ["opened.dns", "opened", "compound", true, ""],
      ["opened.dns.up", "opened.dns", "atomic", true, ""],
      ["opened.dns.down", "opened.dns", "atomic", false, ""],
      ["opened.dns.hist", "opened.dns", "history", false, ""],
      ["opened.link", "opened", "compound", true, ""],
      ["opened.link.dialling", "opened.link", "atomic", true, "dial,feed"],
      ["opened.link.idle", "opened.link", "atomic", false, ""],
      ["opened.link.over", "opened.link", "final", false, ""],
      ["failed", null, "atomic", false, ""],
      ["done", null, "final", false, ""]
    ])
  })

  it("has every transition as people call it, with its guard", () => {
    assert.deepStrictEqual(chart.transitions.map(({ source, label, guard, targets }) => [source, label, guard, targets.join()]), [
      [null, "crash", null, ""],
      ["closed", "open", "ready", "opened"],
      ["closed", "after 500 ms", null, "closed"],
      ["closed", "after linger (60 s)", null, "opened"],
      ["closed", "after backoff", null, "failed"],
      ["opened", "close", null, "closed"],
      ["opened", "link.*", null, "opened.dns.down"],
      ["opened.dns.up", "link.down", null, "opened.dns.down"],
      ["opened.dns.down", "link.up", "ready and not allowed", "opened.dns.up"],
      ["opened.link", "done", null, "done"],
      ["opened.link.dialling", "done: dial", null, "opened.link.idle"],
      ["opened.link.dialling", "failed: dial", null, "failed"],
      ["opened.link.idle", "always", "condition", "opened.link.over"],
      ["failed", "any other event", null, "closed"],
      ["failed", "back", null, "opened.dns.hist"]
    ])
  })

  it("is made once for all that share a definition", () => {
    assert.strictEqual(chartOnce(sampleMachine), chartOnce(sampleMachine.provide({ guards: { ready: () => false } })))
  })
})

describe("what is accepted now", () => {
  const accepted = (...active: ReadonlyArray<string>) => acceptedEvents(chart, active).map(({ event, guard, origin }) => `${event} ${origin}${guard === null ? "" : ` [${guard}]`}`)

  it("tells who sends it", () => {
    assert.deepStrictEqual(accepted("closed"), [
      "open outside [ready]", "xstate.after.500.sample.closed timer", "xstate.after.linger.sample.closed timer",
      "xstate.after.backoff.sample.closed timer", "crash outside"
    ])
    assert.include(accepted("opened", "opened.link", "opened.link.dialling"), "xstate.done.actor.0.sample.opened.link.dialling invoked")
  })

  it("leaves out what an inner state, or a wildcard, takes for certain", () => {
    const both = { machine: "m", states: [], transitions: ["up", "up.inner"].flatMap((source) => ["x", "y"].map((event) =>
      ({ source, label: event, event, guard: source === "up.inner" && event === "x" ? "maybe" : null, targets: [source] }))) }
    assert.deepStrictEqual(acceptedEvents(both, ["up", "up.inner"]).map(({ event, targets }) => `${event} ${targets.join()}`), ["x up.inner", "y up.inner", "x up"])
    assert.notInclude(accepted("failed"), "crash outside")
  })
})

describe("active states", () => {
  it("are read off the text that shows them", () => {
    const value = { a: { b: "c", d: { e: {}, f: {} } }, g: "h", i: {} }
    assert.deepStrictEqual(activePaths(stateText(value)), ["a", "a.b", "a.b.c", "a.d", "a.d.e", "a.d.f", "g", "g.h", "i"])
    assert.deepStrictEqual(activePaths("online.synced"), ["online", "online.synced"])
    assert.deepStrictEqual(activePaths(""), [])
  })
  it("of any text are found without harm", () => {
    for (const text of ["}}}{{{", "a.".repeat(100_000), "{".repeat(100_000), ",,,::", "{a: }, b"]) assert.isArray(activePaths(text))
  })
})

describe("mermaid", () => {
  it("draws nesting, regions, ends, events from within and what is active", () => {
    assert.strictEqual(chartMermaid(chart, ["opened", "opened.dns", "opened.dns.up", "no.such"]), `stateDiagram-v2
  state "closed" as closed
  [*] --> closed
  state "opened" as opened {
    state "dns" as opened__dns {
      state "up" as opened__dns__up
      [*] --> opened__dns__up
      state "down" as opened__dns__down
      state "hist" as opened__dns__hist
    }
    [*] --> opened__dns
    --
    state "link" as opened__link {
      state "dialling" as opened__link__dialling
      [*] --> opened__link__dialling
      state "idle" as opened__link__idle
      state "over" as opened__link__over
      opened__link__over --> [*]
    }
    [*] --> opened__link
    state "in any of these" as opened__any
  }
  state "failed" as failed
  state "done" as done
  done --> [*]
  closed --> opened: open [ready]
  closed --> closed: after 500 ms
  closed --> opened: after linger (60 s)
  closed --> failed: after backoff
  opened --> closed: close
  opened__any --> opened__dns__down: link.*
  opened__dns__up --> opened__dns__down: link.down
  opened__dns__down --> opened__dns__up: link.up [ready and not allowed]
  opened__link --> done: done
  opened__link__dialling --> opened__link__idle: done dial
  opened__link__dialling --> failed: failed dial
  opened__link__idle --> opened__link__over: always [condition]
  failed --> closed: any other event
  failed --> opened__dns__hist: back
  classDef active fill:#ffe08a,stroke:#7a5c00,stroke-width:3px,color:#1a1a1a
  class opened,opened__dns,opened__dns__up active
`)
  })

  it("keeps hostile names from becoming syntax", () => {
    const text = chartMermaid({
      machine: "m",
      states: [{ path: "a;<b>\n", parent: null, type: "atomic", initial: false, invokes: [] }],
      transitions: [{ source: "a;<b>\n", label: "x\n%%{init}%% : y", event: "x", guard: "\"", targets: ["a;<b>\n"] }]
    })
    assert.strictEqual(text, `stateDiagram-v2
  state "a#59;#60;b#62;#10;" as a_3b__3c_b_3e__a_
  a_3b__3c_b_3e__a_ --> a_3b__3c_b_3e__a_: x#10;%%#123;init#125;%%  y [#34;]
`)
  })
})
