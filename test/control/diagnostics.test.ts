/** `network test`: what is asked of whom, and the verdict. */
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import type { CheckResult } from "../../src/domain/Diagnostic.ts"
import { AliasName, NetworkName, Port, SandboxName } from "../../src/domain/DnsLabel.ts"
import { controlPlane, serve, temporaryFolder } from "./server.ts"

class Server extends Context.Service<Server, Effect.Success<ReturnType<typeof serve>>>()("test/DiagnosticsServer") {}
const server = Layer.unwrap(Effect.gen(function*() {
  const folder = yield* temporaryFolder
  return Layer.provideMerge(Layer.effect(Server, serve(folder)), controlPlane(folder))
}))

const port = Schema.decodeSync(Port)(8080)
const alias = AliasName.make("api")
let counter = 0
const fresh = (prefix: string): string => `${prefix}-${++counter}`

/** `web` on one host, `backend` with the alias on another. */
const scene = Effect.fnUntraced(function*(answer: (check: string, role: string) => Effect.Effect<CheckResult> = (check, role) =>
  Effect.succeed({ check, outcome: "pass", agent: null, reason: role, next: null, micros: 1 } as CheckResult)) {
  const { agent, api } = yield* Server
  const asked: Array<string> = []
  const overrides = (host: string) => ({
    RunCheck: ({ check, role, source }: { check: string; role: string; source: string | null }) => {
      asked.push(`${host} ${role} ${check}${source === null ? " local" : ""}`)
      return answer(check, role)
    }
  } as never)
  const hosts = [yield* agent(fresh("host"), { overrides: overrides("a") }), yield* agent(fresh("host"), { overrides: overrides("b") })]
  const network = NetworkName.make(fresh("net"))
  yield* api.networks.create({ payload: { name: network } })
  const [web, backend] = yield* Effect.forEach(hosts, (host) => api.sandboxes.run({
    payload: { name: SandboxName.make(fresh("box")), agent: host.name, labels: { tier: "all" }, replace: false, spec: { command: ["true"], env: {}, binds: [] } }
  }))
  yield* api.networks.attach({ params: { network }, payload: { sandbox: web!.name, ports: [] } })
  yield* api.networks.attach({ params: { network }, payload: { sandbox: backend!.name, alias, ports: [port] } })
  const test = (source: string) => api.networks.test({ params: { network }, payload: { source, alias, port } })
  const allow = (from: string) => Effect.map(api.networks.allow({ params: { network }, payload: { from, to: alias, port } }), ({ value }) => value.id)
  return { web: web!, backend: backend!, network, asked, test, allow, hosts }
})

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
    assert.isBelow(run.elapsedMs, 5000)
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
    const wrong = (payload: { source: string; alias: AliasName; port: Port }) => Effect.map(Effect.flip(api.networks.test({ params: { network }, payload })), (problem) => problem._tag)
    assert.strictEqual(yield* wrong({ source: "any", alias: AliasName.make("nope"), port }), "AliasNotFound")
    assert.strictEqual(yield* wrong({ source: "any", alias, port: Schema.decodeSync(Port)(1) }), "PortNotPublished")
    assert.strictEqual((yield* test("sandbox:nobody").pipe(Effect.flip))._tag, "SandboxNotFound")
    assert.strictEqual((yield* test("a b").pipe(Effect.flip))._tag, "InvalidSelector")
  }))
})
