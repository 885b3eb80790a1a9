/** The hops of `network trace`, from what meshd's probe found. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { trace } from "../../../src/agent/diagnostics/trace.ts"
import { AgentName } from "../../../src/domain/DnsLabel.ts"
import { brokenHop, type HopName } from "../../../src/domain/Trace.ts"
import type { ProbeResult } from "../../../src/protocol/meshd/Messages.ts"
import { type BrokenStep, look, lostMeanwhile, node, own, probeWith, type Situation, source } from "./situation.ts"

const traceIn = (situation: Situation) => look((request, topology, alias) => trace(AgentName.make("host-0"), request, { sandbox: source }, topology, alias, 300), situation)
const answering = (result: ProbeResult): Situation => ({ meshd: { probe: () => Effect.succeed(result) } })
const cut = (...steps: ReadonlyArray<BrokenStep>): Situation => answering(probeWith(...steps))
const [peer] = node().peers

describe("trace", () => {
  it.effect("a hop each, with times, path and whose host it is", () => Effect.gen(function*() {
    const hops = yield* traceIn(answering({ ...probeWith(), peer: peer!, pings: { sent: 20, received: 20, medianMicros: 400 } }))
    assert.deepStrictEqual(hops.map(({ hop, host, outcome, micros }): ReadonlyArray<unknown> => [hop, host, outcome, micros]), [
      ["name", "host-0", "pass", 5], ["source", "host-0", "pass", 10], ["mesh", "host-1", "pass", 10], ["target", "host-1", "pass", 5], ["app", "host-1", "pass", 5],
      ["firstByte", null, "skip", null]
    ])
    assert.match(hops[2]!.detail, /^direct at 10\.0\.0\.2:1, round trip 5 us, 20\/20 packets back$/)
    assert.strictEqual(hops[5]!.detail, "the app waits for the client")
  }))

  it.effect("an app that speaks first has a first byte", () => Effect.gen(function*() {
    const open = probeWith()
    const hops = yield* traceIn(answering({ ...open, steps: [...open.steps, { name: "firstByte", ok: true, micros: 70 }] }))
    assert.deepInclude(hops.at(-1), { hop: "firstByte", outcome: "pass", micros: 70 })
  }))

  it.effect("on one host there is no mesh and one permit", () => Effect.gen(function*() {
    const hops = yield* traceIn({ ...answering(probeWith()), alias: own, request: { port: 81 } })
    assert.deepStrictEqual(hops.map(({ outcome }) => outcome), ["pass", "pass", "skip", "skip", "pass", "skip"])
  }))

  it.effect.each<readonly [HopName, Situation, string, RegExp]>([
    ["name", cut(["resolve", "no answer"]), "host-0", /see the dns check/],
    ["name", { ...cut(), signs: { resolver: () => ({ servers: ["10.0.0.1"], mounted: undefined }) } }, "host-0", /run the sandbox again/],
    ["source", cut(["permit", "none"]), "host-0", /policy and topology checks/],
    ["source", { ...cut(["permit", "none"], ["verdict", "denied: none"]), request: { port: 82 } }, "host-0", /gstacks network policy allow dev/],
    ["source", { meshd: "away" }, "host-0", /systemctl start gstacks-meshd/],
    ["mesh", cut(["dial", "the peer does not answer"]), "host-1", /restart meshd on host-1/],
    ["mesh", cut(["fullSize", "no answer"]), "host-0", /MTU/],
    ["mesh", { meshd: { probe: () => Effect.succeed(lostMeanwhile) } }, "host-1", /restart meshd on host-1/],
    ["target", cut(["verdict", "denied: none"]), "host-1", /checks of host-1/],
    ["app", cut(["connect", "connection refused"]), "host-1", /start the program/]
  ])("stops at %s", ([hop, situation, host, next]) => Effect.gen(function*() {
    const hops = yield* traceIn(situation)
    assert.strictEqual(brokenHop(hops), hop)
    const found = hops.find((candidate) => candidate.hop === hop)
    assert.strictEqual(found!.host, host)
    assert.match(found!.next!, next)
  }))
})
