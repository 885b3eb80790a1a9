/** kill -9 of each process, alone, while a stream is open: what lives on, what comes back, and that nothing stored is lost. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { Peer } from "../harness/Peer.ts"
import { eventually, Fixture } from "./fixture.ts"

const api = "api.dev.gstacks"

describe("kill -9", () => {
  let fixture: Fixture
  let web: Peer
  let backend: Peer

  beforeAll(async () => {
    fixture = await Fixture.start(2)
    web = await fixture.sandbox("web", "host-1")
    backend = await fixture.sandbox("backend", "host-2")
    await backend.listen(8080)
    await fixture.network("dev")
    await fixture.attach("dev", "web")
    await fixture.attach("dev", "backend", "api", [8080])
    await fixture.allow("dev", "sandbox:web", "api", 8080)
    await fixture.reachable(web, api, 8080)
  }, 120_000)
  afterAll(() => fixture?.stop(), 60_000)

  const stored = async () => {
    const { body } = await fixture.api("GET", "/networks/dev")
    return { version: body.network.version, aliases: body.aliases, rules: body.rules, attachments: body.attachments.map((a: { sandbox: string }) => a.sandbox) }
  }
  const healthy = () => eventually("the API answers", async () => (await fixture.api("GET", "/networks/dev").catch(() => ({ status: 0 }))).status === 200, 30_000)

  const opens = async () => (await web.probe(api, 8080, { timeoutMs: 1000 })).result === "open"
  /** New streams work soon, and from then on: hosts hear of a restart by several ways, and each way once broke what another had mended. */
  const recovers = async () => {
    assert.isBelow(await eventually("a new stream works", opens, 20_000), 3000)
    for (const until = performance.now() + 500; performance.now() < until;) assert.isTrue(await opens())
  }

  it.each([["agent", "host-1"], ["agent", "host-2"], ["control", ""], ["headscale", ""]])("%s %s: the open stream lives on, names resolve, new streams connect", async (role, host) => {
    const before = await stored()
    const id = `${role}${host}`
    await web.open(id, api, 8080)
    await web.ping(id, "before\n")
    const pid = fixture.cluster.pid(role, host)
    fixture.cluster.kill(role, host)
    await web.ping(id, "while it is dead\n")
    assert.deepStrictEqual((await web.lookup(api)).addresses?.length, 1)
    assert.strictEqual((await web.probe(api, 8080)).result, "open")
    await eventually(`${role} is back`, () => { const now = fixture.cluster.pid(role, host); return now !== undefined && now !== pid }, 20_000)
    await healthy()
    await web.ping(id, "after\n")
    await web.end(id)
    assert.deepStrictEqual(await stored(), before)
    // It is fully back when a change is in force everywhere again.
    const rule = await fixture.allow("dev", "any", "api", 8080)
    await fixture.revoke("dev", rule.id)
  }, 90_000)

  it.each([["host-1"], ["host-2"]])("meshd on %s: refused or reset while away, new streams work again", async (host) => {
    const pid = fixture.cluster.pid("meshd", host)
    await web.open(`m${host}`, api, 8080)
    await web.ping(`m${host}`, "before\n")
    fixture.cluster.kill("meshd", host)
    await recovers()
    assert.notStrictEqual(fixture.cluster.pid("meshd", host), pid)
    await web.event(`m${host}`, (e) => e.event === "close" || e.event === "error", 30_000)
  }, 60_000)

  it("meshd on one host and right after it on the other: new streams work again", async () => {
    const pid = fixture.cluster.pid("meshd", "host-2")
    fixture.cluster.kill("meshd", "host-2")
    await eventually("meshd is back", () => ![pid, undefined].includes(fixture.cluster.pid("meshd", "host-2")))
    fixture.cluster.kill("meshd", "host-1")
    await recovers()
  }, 60_000)

  it("a sandbox outlives its agent, keeps its exit code and is adopted", async () => {
    const run = await fixture.api("POST", "/sandboxes", {
      name: "brief", agent: "host-1", labels: {}, replace: false, spec: { command: ["sh", "-c", "echo hello; sleep 3; exit 7"], env: {}, binds: [] }
    })
    assert.strictEqual(run.status, 201)
    fixture.cluster.kill("agent", "host-1")
    await eventually("the exit code is reported", async () => (await fixture.api("GET", "/sandboxes/brief")).body.exitCode === 7, 20_000)
    await eventually("the log is kept", async () => (await fixture.api("GET", "/sandboxes/brief/logs")).body.text?.includes("hello"), 10_000)
    assert.strictEqual((await fixture.api("DELETE", "/sandboxes/brief")).status, 200)
  }, 60_000)

  it("kill -9 of a sandbox's shim takes the sandbox with it, and says so", async () => {
    const peer = await fixture.sandbox("doomed", "host-1")
    const shim = fixture.cluster.pid("shim", "doomed")
    assert.isDefined(shim)
    process.kill(shim!, "SIGKILL")
    await eventually("the program is gone", async () => peer.lookup("localhost").then(() => false, () => true))
    await eventually("its state says so", async () => ["stopped", "failed"].includes((await fixture.api("GET", "/sandboxes/doomed")).body.state))
  }, 60_000)

  it("with control plane and agents dead, permitted streams still connect and denied ones are refused", async () => {
    fixture.cluster.freeze("control", "")
    fixture.cluster.freeze("agent", "host-1")
    fixture.cluster.freeze("agent", "host-2")
    try {
      assert.strictEqual((await web.probe(api, 8080)).result, "open")
      assert.strictEqual((await web.probe(api, 8081)).result, "ECONNREFUSED")
      assert.strictEqual((await web.lookup("nothing.dev.gstacks")).code, "ENOTFOUND")
    } finally {
      for (const [role, host] of [["control", ""], ["agent", "host-1"], ["agent", "host-2"]] as const) fixture.cluster.thaw(role, host)
    }
    await healthy()
  }, 60_000)
})
