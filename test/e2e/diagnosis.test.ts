/** `network test` and `network trace` on a real cluster: all is well, then faults that are planted one after the other and taken away again. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { CheckResult, DiagnosticRun } from "../../src/domain/Diagnostic.ts"
import type { Trace } from "../../src/domain/Trace.ts"
import { eventually, Fixture } from "./fixture.ts"

describe("diagnosis", () => {
  let fixture: Fixture

  beforeAll(async () => {
    fixture = await Fixture.start(2)
    const [web, backend] = await Promise.all([fixture.sandbox("web", "host-1"), fixture.sandbox("backend", "host-2"), fixture.sandbox("brief", "host-2")])
    await backend.listen(8080)
    await fixture.network("dev")
    await fixture.attach("dev", "web")
    await fixture.attach("dev", "backend", "api", [8080, 8081])
    await fixture.attach("dev", "brief", "old", [8080])
    for (const [to, port] of [["api", 8080], ["api", 8081], ["old", 8080]] as const) await fixture.allow("dev", "sandbox:web", to, port)
    await fixture.reachable(web, "api.dev.gstacks", 8080)
  }, 120_000)
  afterAll(() => fixture?.stop(), 60_000)

  const test = async (source = "sandbox:web", alias = "api", port = 8080): Promise<DiagnosticRun> =>
    (await fixture.api("POST", "/networks/dev/tests?waitMs=60000", { source, alias, port })).body
  const trace = async (source = "sandbox:web", alias = "api", port = 8080): Promise<Trace> => (await fixture.api("POST", "/networks/dev/traces", { source, alias, port })).body
  const about = (trouble: CheckResult | null) => trouble === null ? null : [trouble.check, trouble.host ?? trouble.agent]

  it("all is well: five checks of both hosts pass, and every hop has its time", async () => {
    await eventually("nothing is wrong", async () => (await test()).trouble === null, 30_000) // a busy machine may lose packets for a moment
    const run = await test()
    assert.strictEqual(run.verdict, "reachable", JSON.stringify(run.checks))
    assert.deepStrictEqual((await fixture.api("GET", `/networks/dev/tests/${run.id}`)).body, run)
    const { verdict, hops } = await trace()
    assert.deepStrictEqual([verdict, hops.map(({ hop, outcome }) => `${hop} ${outcome}`)],
      ["reachable", ["name pass", "source pass", "mesh pass", "target pass", "app pass", "firstByte pass"]], JSON.stringify(hops))
    assert.isTrue(hops.every(({ micros }) => micros !== null))
    assert.match(hops[2]!.detail, /^direct at .*round trip \d+ us, \d+\/20 packets back$/)
  }, 60_000)

  it("a program that listens on another port is told where it does", async () => {
    const { verdict, trouble } = await test("sandbox:web", "api", 8081)
    assert.deepStrictEqual([verdict, about(trouble)], ["unreachable", ["route", "host-2"]])
    assert.match(trouble!.reason, /nothing listens on port 8081 in sandbox backend, behind api:8081, but on \S*:8080/)
    assert.match(trouble!.next!, /gstacks network alias add dev backend api --port 8080/)
    assert.strictEqual((await trace("sandbox:web", "api", 8081)).broken, "app")
  }, 60_000)

  it("what no rule allows is denied, and the way is tried as far as that", async () => {
    const { verdict, trouble, checks } = await test("sandbox:backend", "old", 8080)
    assert.deepStrictEqual([verdict, trouble?.check], ["denied", "policy"])
    assert.match(trouble!.next!, /gstacks network policy allow dev --from sandbox:backend --to old --port 8080/)
    assert.isTrue(checks.some(({ check, reason }) => check === "route" && /the way is open as far as that|nothing accepts/.test(reason)))
    const denied = await trace("sandbox:backend", "old", 8080)
    assert.deepStrictEqual([denied.verdict, denied.broken], ["denied", "source"])
  }, 60_000)

  it("a sandbox that is stopped and an agent that does not answer are named, and nothing hangs", async () => {
    await fixture.api("POST", "/sandboxes/brief/stop")
    const stopped = await test("sandbox:web", "old", 8080)
    assert.deepStrictEqual([stopped.verdict, about(stopped.trouble)], ["unreachable", ["route", "host-2"]])
    assert.match(stopped.trouble!.next!, /gstacks sandbox show brief/)
    fixture.cluster.freeze("agent", "host-2")
    try {
      const silent = await test()
      assert.deepStrictEqual([silent.verdict, about(silent.trouble)], ["unreachable", ["mesh", "host-2"]])
      assert.match(silent.trouble!.reason, /did not answer in time|is not connected|lost its connection/)
      assert.strictEqual((await trace()).verdict, "reachable") // streams need no agent
    } finally {
      fixture.cluster.thaw("agent", "host-2")
    }
  }, 60_000)
})
