import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { MeshdRefused } from "../../../src/agent/dataplane/MeshdClient.ts"
import type { CheckName } from "../../../src/domain/Diagnostic.ts"
import { node, own, probe, probeWith, run, type Situation } from "./situation.ts"

const refused = (message: string) => Effect.fail(new MeshdRefused({ method: "connect", code: "refused", message }))

const situations: ReadonlyArray<readonly [CheckName, string, Situation, "pass" | "fail" | "skip", RegExp]> = [
  ["mesh", "joined, with the path to the other host", {}, "pass", /100\.64\.0\.1 over tun; host-1 direct at 10\.0\.0\.2/],
  ["mesh", "both ends here", { alias: own, request: { port: 81 } }, "pass", /both ends are on this host/],
  ["mesh", "meshd away", { meshd: "away" }, "fail", /meshd does not answer/],
  ["mesh", "still joining", { node: node({ state: "starting" }) }, "fail", /still joining/],
  ["mesh", "join failed", { node: node({ state: "failed", error: "bad key" }) }, "fail", /bad key/],
  ["mesh", "the other host is not shown", { node: node({ peers: [] }) }, "fail", /does not show agent host-1/],
  ["mesh", "the other host is offline", { node: node({ peers: [{ ...node().peers[0]!, online: false, ready: false, path: "none" }] }) }, "fail", /host-1 is offline/],
  ["topology", "in force", {}, "pass", /version 7 in force/],
  ["topology", "behind", { applied: 6 }, "fail", /version 6 is in force, 7 is wanted: meshd is at it/],
  ["topology", "out of touch", { stale: true }, "fail", /out of touch/],
  ["dns", "the sandbox's zone has it", {}, "pass", /resolves app0\.dev\.gstacks to 127\.64\.1\.0/],
  ["dns", "the source does not run", { running: false }, "fail", /^sandbox box0 is stopped$/],
  ["dns", "seen from the target", { request: { role: "target" } }, "pass", /app0\.dev\.gstacks is/],
  ["route", "answers", { meshd: { probe: () => Effect.succeed(probe({ name: "dial", ok: true, micros: 5 }, { name: "connect", ok: true, micros: 7 })) } }, "pass", /dial 5 us, connect 7 us/],
  ["route", "stops at the app", { meshd: { probe: () => Effect.succeed(probe({ name: "dial", ok: true, micros: 5 }, { name: "connect", ok: false, micros: 7, error: "refused" })) } }, "fail", /nothing accepts connections on port 80 in sandbox box1, behind app0:80: refused/],
  ["route", "denied, but the way is open", { request: { port: 81 }, meshd: { probe: () => Effect.succeed(probeWith(["enter", "refused"], ["permit", "none"], ["verdict", "denied: none"])) } }, "skip", /policy denies it; the way is open as far as that/],
  ["route", "denied, and the way is not open either", { request: { port: 81 }, meshd: { probe: () => Effect.succeed(probeWith(["enter", "refused"], ["permit", "none"], ["dial", "no answer"])) } }, "fail", /mesh does not carry/],
  ["route", "the target's program does not listen", { alias: own, request: { role: "target", port: 81 }, meshd: { connect: () => refused("connection refused") } }, "fail", /nothing accepts connections on port 81/],
  ["route", "the target's program listens", { alias: own, request: { role: "target", port: 81 }, meshd: { connect: () => Effect.succeed({ micros: 9 }) } }, "pass", /accepts connections/],
  ["route", "the target does not run", { alias: own, running: false, request: { role: "target", port: 81 } }, "fail", /^sandbox box0 is stopped$/],
  ["policy", "allowed, by rule", {}, "pass", /sandbox:box0 may reach app0\.dev\.gstacks:80 by rul_/],
  ["policy", "denied", { request: { port: 81 } }, "fail", /no rule of version 7/],
  ["policy", "denied to developers' machines", { request: { source: null } }, "fail", /lets local reach/],
  ["policy", "denied to one user's machines", { request: { source: null, user: "ann" } }, "fail", /lets local:ann reach/]
]

describe("checks", () => {
  it.effect.each(situations)("%s: %s", ([check, , situation, outcome, reason]) => Effect.gen(function*() {
    const finding = yield* run(check, situation)
    assert.strictEqual(finding.outcome, outcome)
    assert.match(finding.reason, reason)
    assert.strictEqual(finding.next !== null, outcome === "fail") // who fails says what to do next
  }))
})
