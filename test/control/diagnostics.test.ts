/** `network test`: what is asked of whom, and the verdict. */
import { assert, it, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option, Schema, SubscriptionRef } from "effect"
import { mostAtOnce } from "../../src/control/Diagnostics/Runs.ts"
import { Mesh } from "../../src/control/Mesh.ts"
import { mostTraces } from "../../src/control/Traces.ts"
import type { CheckResult } from "../../src/domain/Diagnostic.ts"
import { AliasName, Port, SandboxName } from "../../src/domain/DnsLabel.ts"
import { MeshUnavailable } from "../../src/domain/Problems.ts"
import type { Hop } from "../../src/domain/Trace.ts"
import { NotApplied } from "../../src/protocol/agent/AgentRpcs.ts"
import type { LocalQuestion } from "../../src/protocol/http/LocalNodesApi.ts"
import { fakeHeadscale } from "../harness/fakeHeadscale.ts"
import { controlPlane, serve, temporaryFolder } from "./server.ts"
import { alias, fine, fresh, laptop, port, scene, Server, server } from "./diagnosticsScene.ts"

layer(server, { timeout: "2 minutes", excludeTestServices: true })("network test", (it) => {
  it.effect("denied without a rule, reachable with one, naming it; all five checks are asked of source and target", () => Effect.gen(function*() {
    const { web, test, allow, asked } = yield* scene()
    const denied = yield* test(`sandbox:${web.name}`)
    assert.strictEqual(denied.verdict, "denied")
    assert.include(denied.checks.find((check) => check.check === "policy" && check.agent === null)!.next, "gstacks network policy allow")
    assert.deepStrictEqual([...asked].sort(), ["mesh", "topology", "dns", "route", "policy"].flatMap((check) => [`a source ${check}`, `b target ${check}`]).sort())
    const rule = yield* allow(`sandbox:${web.name}`)
    const reachable = yield* test(`sandbox:${web.name}`)
    assert.deepStrictEqual([reachable.verdict, reachable.rules], ["reachable", [rule]])
    assert.deepStrictEqual([...new Set(reachable.checks.map((check) => check.check))], ["mesh", "topology", "dns", "route", "policy"])
  }))

  it.effect("denied: who revoked the rule, and when; one that let in others is evidence", () => Effect.gen(function*() {
    const { web, test, allow, network } = yield* scene()
    const { api } = yield* Server
    const lose = Effect.fnUntraced(function*(from: string) {
      const rule = yield* allow(from)
      yield* api.networks.revoke({ params: { network, rule } })
      return rule
    })
    const other = yield* lose("any")
    const never = (yield* test(`sandbox:${web.name}`)).trouble!
    assert.match(never.reason, /^no rule lets/)
    assert.match(never.evidence!["lastRule"]!, new RegExp(`^${other}, any to api:8080, was revoked by admin at`))
    yield* lose(`sandbox:${web.name}`)
    yield* lose("any")
    const revoked = (yield* test(`sandbox:${web.name}`)).trouble!
    assert.match(revoked.reason, new RegExp(`^the rule that let sandbox:${web.name} reach api.${network}.gstacks:8080 was revoked by admin at \\d`))
    assert.match(revoked.next!, /^allow it again: gstacks network policy allow/)
  }))

  it.effect("an agent that says no by a wrong clock is told of its clock, not of the rule", () => Effect.gen(function*() {
    const { web, test, allow } = yield* scene((check, role) => Effect.succeed(
      { ...fine(check, role), ...check === "policy" && role === "target" ? { outcome: "fail", reason: "the rule ended" } : {}, clockMs: role === "target" ? Date.now() + 3_600_000 : Date.now() } as CheckResult))
    yield* allow("any")
    const { trouble } = yield* test(`sandbox:${web.name}`)
    assert.match(trouble!.reason, /^the rule ended, it says, but the clock of .* is 3600 s ahead/)
    assert.match(trouble!.next!, /timedatectl/)
  }))

  it.effect("a mesh coordinator that does not answer is warned of", () => Effect.gen(function*() {
    const { web, test, allow } = yield* scene()
    const { current } = yield* Mesh
    yield* allow("any")
    const silent = new MeshUnavailable({ detail: "no answer within 2 s", hint: "" })
    yield* Effect.acquireRelease(SubscriptionRef.set(current, Option.some({ ...fakeHeadscale().api, answers: Effect.fail(silent) })), () => SubscriptionRef.set(current, Option.none()))
    const { verdict, trouble } = yield* test(`sandbox:${web.name}`)
    assert.deepStrictEqual([verdict, trouble?.check, trouble?.outcome], ["reachable", "mesh", "warn"])
    assert.match(trouble!.reason, /\(Headscale\) does not answer/)
    assert.deepStrictEqual(trouble!.evidence, { error: "no answer within 2 s" })
  }))

  it.effect("allowed, but a check fails: unreachable, with the reason", () => Effect.gen(function*() {
    const { web, test, allow } = yield* scene((check, role) => Effect.succeed({
      check, outcome: check === "route" && role === "target" ? "fail" : "pass", agent: null, reason: "nobody listens", next: null, micros: null
    } as CheckResult))
    yield* allow("any")
    const run = yield* test(`sandbox:${web.name}`)
    assert.strictEqual(run.verdict, "unreachable")
    assert.deepStrictEqual(run.checks.filter((check) => check.outcome === "fail").map((check) => check.reason), ["nobody listens"])
  }))

  it.effect("an agent that is away is a failed check, not a hung run", () => Effect.gen(function*() {
    const { web, test, allow, hosts } = yield* scene()
    yield* allow("any")
    yield* hosts[1]!.disconnect
    const run = yield* test(`sandbox:${web.name}`)
    assert.strictEqual(run.verdict, "unreachable")
    assert.isTrue(run.checks.some((check) => check.agent === hosts[1]!.name && /not connected|lost its connection/.test(check.reason)))
    assert.match(run.trouble!.next!, new RegExp(`on ${hosts[1]!.name}: systemctl status gstacks-agent`))
    assert.isBelow(run.elapsedMs!, 5000)
  }))

  it.effect("local with nobody joined: the source's checks are skipped, verdict and rule are given", () => Effect.gen(function*() {
    const { test, allow, asked } = yield* scene()
    assert.strictEqual((yield* test("local")).verdict, "denied")
    const rule = yield* allow("local")
    const run = yield* test("local")
    assert.deepStrictEqual([run.verdict, run.rules], ["reachable", [rule]])
    assert.strictEqual(run.checks.filter((check) => check.outcome === "skip").length, 5)
    assert.isTrue(asked.every((entry) => entry.startsWith("b target") && entry.endsWith("local")))
  }))

  it.effect("a joined machine is asked as a source is; what it answers is its own, and nobody answers for it", () => Effect.gen(function*() {
    const { allow, network, test } = yield* scene()
    const { api } = yield* Server
    const rule = yield* allow("local:ann")
    const ann = yield* laptop(network, "ann"), bob = yield* laptop(network, "bob")
    const seen: Array<LocalQuestion> = []
    yield* ann.answering((question) => {
      seen.push(question)
      return question._tag === "Trace" ? { _tag: "Trace", hops: [{ hop: "mesh", host: "local:ann", outcome: "pass", micros: 7, detail: "over the mesh", next: null }] } : { _tag: "Check", result: { ...fine(question.check, "mine"), agent: "local:ann" } }
    })
    const run = yield* test("local:ann")
    assert.deepStrictEqual([run.verdict, run.rules], ["reachable", [rule]])
    assert.deepStrictEqual(run.checks.filter(({ agent }) => agent === "local:ann").map(({ check, outcome }) => `${check} ${outcome}`), ["mesh pass", "topology pass", "dns pass", "route pass", "policy pass"])
    const traced = yield* api.networks.trace({ params: { network }, payload: { source: "local:ann", alias, port } })
    assert.deepStrictEqual([traced.verdict, traced.hops.map(({ host, micros }) => [host, micros])], ["reachable", [["local:ann", 7]]])
    assert.lengthOf(seen, 6)
    assert.strictEqual((yield* Effect.flip(ann.answer(seen[0]!, { _tag: "Trace", hops: [] }, bob.client)))._tag, "LocalNodeNotFound")
    yield* bob.answer(seen[0]!, { _tag: "Check", result: fine("mesh", "a lie") }) // to what nobody asked it
  }))

  it.effect("a joined machine that speaks for another is refused; one that is away is a finding, not a hang", () => Effect.gen(function*() {
    const { allow, network, test } = yield* scene()
    yield* allow("local")
    const liar = yield* laptop(network, "liar"), away = yield* laptop(network, "away")
    yield* liar.answering((question) => ({ _tag: "Check", result: { ...fine(question._tag === "Check" ? question.check : "mesh", "yours"), agent: "local:away" } }))
    const run = yield* test("local")
    assert.strictEqual(run.verdict, "unreachable")
    const of = (user: string) => run.checks.filter(({ agent }) => agent === `local:${user}`)
    assert.isTrue(of("liar").every(({ outcome, reason }) => outcome === "fail" && reason.includes("in the name of another")))
    assert.deepStrictEqual(of("away").map(({ outcome }) => outcome), ["fail", "skip", "skip", "skip", "skip"])
    assert.include(of("away")[0]!.reason, "does not answer")
    assert.include(of("away")[0]!.next!, "gstacks mesh status")
    const traced = yield* (yield* Server).api.networks.trace({ params: { network }, payload: { source: "local:away", alias, port } })
    assert.deepStrictEqual([traced.verdict, traced.broken, away.user], ["unreachable", "source", "away"])
  }), 60_000)

  it.effect("a selector for many is allowed when all of them are; one that stands for nobody is denied and says so", () => Effect.gen(function*() {
    const { web, test, allow } = yield* scene()
    yield* allow(`sandbox:${web.name}`)
    assert.strictEqual((yield* test("label:tier=all")).verdict, "denied")
    yield* allow("label:tier=all")
    assert.strictEqual((yield* test("any")).verdict, "reachable")
    const nobody = yield* test("label:tier=none")
    assert.strictEqual(nobody.verdict, "denied")
    assert.isTrue(nobody.checks.some((check) => check.reason.includes("no sandbox that is attached")))
  }))

  it.effect("what cannot be tested is a typed problem", () => Effect.gen(function*() {
    const { network, test } = yield* scene()
    const { api } = yield* Server
    const wrong = (payload: { source: string; alias: AliasName; port: Port }) => Effect.map(Effect.flip(api.networks.test({ params: { network }, query: { waitMs: 20_000 }, payload })), (problem) => problem._tag)
    assert.strictEqual(yield* wrong({ source: "any", alias: AliasName.make("nope"), port }), "AliasNotFound")
    assert.strictEqual(yield* wrong({ source: "any", alias, port: Schema.decodeSync(Port)(1) }), "PortNotPublished")
    assert.strictEqual((yield* test("sandbox:nobody").pipe(Effect.flip))._tag, "SandboxNotFound")
    assert.strictEqual((yield* test("a b").pipe(Effect.flip))._tag, "InvalidSelector")
  }))

  it.effect("a run is there at once, grows while it is read, and can be read again", () => Effect.gen(function*() {
    const held = yield* Deferred.make<void>()
    const { web, allow, start, read, network } = yield* scene((check, role) => Effect.as(check === "dns" ? Deferred.await(held) : Effect.void, fine(check, role)))
    const { api } = yield* Server
    yield* allow("any")
    const started = yield* start(`sandbox:${web.name}`)
    assert.deepStrictEqual([started.state, started.verdict], ["running", null])
    const half = yield* read(started.id, { after: 3, waitMs: 10_000 })
    assert.deepStrictEqual(half.checks.map(({ check }) => check), ["mesh", "mesh", "topology", "topology"])
    yield* Deferred.succeed(held, undefined)
    const done = yield* read(started.id, { after: 99, waitMs: 10_000 })
    assert.deepStrictEqual([done.state, done.verdict, done.trouble], ["done", "reachable", null])
    assert.deepStrictEqual(yield* read(started.id), done)
    assert.deepStrictEqual((yield* api.networks.tests({ params: { network } })).map(({ id, verdict }) => [id, verdict]), [[started.id, "reachable"]])
    assert.strictEqual((yield* Effect.flip(read("run_none")))._tag, "RunNotFound")
  }))

  it.effect("a run that is cancelled keeps what it found; agents are told, and what they still answer changes nothing", () => Effect.gen(function*() {
    const stopped = yield* Deferred.make<void>()
    const { web, start, read, network } = yield* scene((check, role) => check === "route" ? Effect.onInterrupt(Effect.never, () => Deferred.succeed(stopped, undefined)) : Effect.succeed(fine(check, role)))
    const { api } = yield* Server
    const { id } = yield* start(`sandbox:${web.name}`)
    yield* read(id, { after: 5, waitMs: 10_000 })
    const ended = yield* api.networks.cancelTest({ params: { network, run: id } })
    assert.deepStrictEqual([ended.state, ended.verdict, ended.checks.length], ["cancelled", null, 6])
    yield* Deferred.await(stopped)
    assert.deepStrictEqual(yield* read(id), ended)
    assert.deepStrictEqual(yield* api.networks.cancelTest({ params: { network, run: id } }), ended)
  }))

  it.effect.each<readonly [string, (result: CheckResult) => unknown, RegExp]>([
    ["for another check", (result) => ({ ...result, check: "policy" }), /answered for check policy when asked for mesh/],
    ["in the name of another agent", (result) => ({ ...result, agent: "host-x" }), /in the name of another agent/],
    ["with far too much", (result) => ({ ...result, reason: "x".repeat(1_000_000) }), /more than can be shown/],
    ["with a time that is none", (result) => ({ ...result, micros: -1 }), /negative time/],
    ["with what is no result", () => ({ outcome: "fine" }), /failed on it/]
  ])("an agent that answers %s is refused, and the others are heard", ([, spoil, reason]) => Effect.gen(function*() {
    const { web, test, allow, hosts } = yield* scene((check, role) => Effect.succeed((check === "mesh" && role === "target" ? spoil(fine(check, role)) : fine(check, role)) as CheckResult))
    yield* allow("any")
    const run = yield* test(`sandbox:${web.name}`)
    assert.strictEqual(run.verdict, "unreachable")
    assert.deepInclude(run.trouble, { check: "mesh", agent: hosts[1]!.name })
    assert.match(run.trouble!.reason, reason)
    assert.isTrue(run.checks.filter(({ agent }) => agent === hosts[0]!.name).every(({ outcome }) => outcome === "pass"))
  }))

  it.effect("an answer that nobody waits for is refused: replayed, for a call that was never made, or of another kind", () => Effect.gen(function*() {
    const { web, test, allow, hosts } = yield* scene()
    yield* allow("any")
    yield* Effect.forEach(["1", "999999", "nonsense"], (requestId) => hosts[1]!.control.Reply({
      message: { _tag: "Exit", requestId, exit: { _tag: "Success", value: fine("mesh", "target") } }
    }))
    yield* Effect.ignore(hosts[1]!.control.Reply({ message: { _tag: "Gibberish" } }))
    assert.strictEqual((yield* test(`sandbox:${web.name}`)).verdict, "reachable")
  }))

  it.effect("a trace is asked of the source's agent; the verdict is the policy's, then the hops'", () => Effect.gen(function*() {
    const { web, network, allow, traceAnswers } = yield* scene()
    const { api } = yield* Server
    const trace = (source: string) => api.networks.trace({ params: { network }, payload: { source, alias, port } })
    const hop: Hop = { hop: "mesh", host: null, outcome: "pass", micros: 5, detail: "direct", next: null }
    traceAnswers.set("a", [hop])
    assert.deepInclude(yield* trace(`sandbox:${web.name}`), { verdict: "denied", broken: null, hops: [hop] })
    yield* allow("any")
    assert.deepInclude(yield* trace("any"), { verdict: "reachable", broken: null })
    traceAnswers.set("a", [{ ...hop, outcome: "fail" }])
    assert.deepInclude(yield* trace(`sandbox:${web.name}`), { verdict: "unreachable", broken: "mesh" })
    traceAnswers.set("a", Array.from({ length: 1000 }, () => hop))
    const flooded = yield* trace(`sandbox:${web.name}`)
    assert.deepInclude(flooded, { verdict: "unreachable", broken: "source" })
    assert.match(flooded.hops[0]!.detail, /failed on it/)
    assert.deepStrictEqual((yield* trace("local")).hops.map(({ outcome }) => outcome), ["skip"])
  }))

  it.effect("tests and traces at once are bounded, and one too many is a typed problem", () => Effect.gen(function*() {
    const gate = yield* Deferred.make<void>()
    const { network, start, traceAnswers, traceGates, web } = yield* scene((check, role) => Effect.as(Deferred.await(gate), fine(check, role)))
    traceAnswers.set("a", [])
    traceGates.set("a", Deferred.await(gate))
    const { api } = yield* Server
    const source = `sandbox:${web.name}`
    const tooMany = 5
    const started = yield* Effect.all(Array.from({ length: mostAtOnce + tooMany }, () => Effect.result(start(source))), { concurrency: "unbounded" })
    const refused = started.flatMap((result) => result._tag === "Failure" ? [result.failure] : [])
    assert.deepStrictEqual(refused.map(({ _tag }) => _tag), Array.from({ length: tooMany }, () => "TooManyRuns"))
    const seen = yield* Deferred.make<string>()
    const traces = yield* Effect.forkChild(Effect.all(Array.from({ length: mostTraces + 1 }, () => api.networks.trace({ params: { network }, payload: { source, alias, port } }).pipe(
      Effect.tapError(({ _tag }) => Deferred.succeed(seen, _tag)), Effect.result)), { concurrency: "unbounded" }))
    assert.strictEqual(yield* Effect.timeout(Deferred.await(seen), "30 seconds"), "TooManyRuns")
    yield* Deferred.succeed(gate, undefined)
    assert.lengthOf((yield* Fiber.join(traces)).filter(({ _tag }) => _tag === "Failure"), 1)
  }))

  it.effect("a host whose clock is wrong is warned of, and so is one whose disk is full; the verdict stays", () => Effect.gen(function*() {
    const { web, test, allow, hosts, network } = yield* scene((check, role) => Effect.succeed({ ...fine(check, role), clockMs: role === "target" ? 0 : Date.now() } as CheckResult))
    const full = yield* (yield* Server).agent(fresh("host"), { overrides: { ApplyTopology: ({ update }) => Effect.fail(new NotApplied({
      networkId: update._tag === "Snapshot" ? update.topology.networkId : update.delta.networkId, version: 1, reason: "cannot be stored: ENOSPC: no space left on device"
    })) } })
    const { api } = yield* Server
    yield* allow("any")
    const skewed = yield* test(`sandbox:${web.name}`)
    assert.deepStrictEqual([skewed.verdict, skewed.trouble?.check, skewed.trouble?.host], ["reachable", "policy", hosts[1]!.name])
    assert.match(skewed.trouble!.reason, /behind the control plane's/)
    assert.match(skewed.trouble!.next!, /timedatectl/)
    const box = yield* api.sandboxes.run({ payload: { name: SandboxName.make(fresh("box")), agent: full.name, labels: {}, replace: false, spec: { command: ["true"], env: {}, binds: [] } } })
    yield* api.networks.attach({ params: { network }, payload: { sandbox: box.name, ports: [] } })
    const run = yield* test(`sandbox:${box.name}`).pipe(Effect.repeat({ until: ({ trouble }) => trouble?.check === "topology" }))
    assert.deepInclude(run.trouble, { outcome: "warn", host: full.name })
    assert.match(run.trouble!.reason, /disk of .* is full/)
    assert.match(run.trouble!.next!, /df -h/)
  }))
})

it.effect("a mesh coordinator that is down is warned of, in managed mode", () => Effect.gen(function*() {
  const folder = yield* temporaryFolder
  const away = { _tag: "Managed", binary: "/nonexistent", listen: { host: "127.0.0.1", port: 1 }, controlUrl: "http://127.0.0.1:1" } as const
  yield* Effect.gen(function*() {
    const { web, test, allow } = yield* Effect.provideService(scene(), Server, yield* serve(folder))
    yield* allow("any")
    const { verdict, trouble } = yield* test(`sandbox:${web.name}`)
    assert.deepStrictEqual([verdict, trouble?.check, trouble?.outcome], ["reachable", "mesh", "warn"])
    assert.match(trouble!.next!, /managedHeadscale/)
  }).pipe(Effect.provide(controlPlane(folder, { _tag: "Memory" }, away)))
}))
