/** A developer's machine publishes a port as an alias: real Headscale, real meshds, in a network namespace that plays the machine. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Laptop, type User } from "../harness/Laptop.ts"
import type { Peer } from "../harness/Peer.ts"
import { eventually, Fixture } from "./fixture.ts"

const MiB = 1 << 20
const host = "laptop-api.dev.gstacks"

describe("mesh publish, from a developer's machine", () => {
  let fixture: Fixture, laptop: Laptop, ann: User, program: Peer, web: Peer, other: Peer

  beforeAll(async () => {
    fixture = await Fixture.start(1)
    laptop = await Laptop.start(fixture.cluster)
    ann = laptop.as("ann", await fixture.userToken("ann"))
    program = await ann.peer("program")
    for (const [port, behaviour] of [[3000, "echo"], [3001, "sink"], [3002, "source"]] as const) await program.listen(port, behaviour, "127.0.0.1")
    web = await fixture.sandbox("web", "host-1")
    other = await fixture.sandbox("other", "host-1")
    await fixture.network("dev")
    for (const sandbox of ["web", "other"]) await fixture.attach("dev", sandbox)
  }, 120_000)
  afterAll(async () => {
    program?.close()
    await fixture?.stop()
    laptop?.remove()
  }, 60_000)

  const run = (line: string, code = 0) => ann.run(line, code)
  /** As the network's operator. */
  const operator = async (line: string, code = 0) => {
    const result = await fixture.cluster.gstacks(...line.split(" "))
    assert.strictEqual(result.code, code, `gstacks ${line}\n${result.stdout}\n${result.stderr}`)
    return result
  }
  const publication = async (alias = "laptop-api") => (await ann.status()).published.find((each: { alias: string }) => each.alias === alias)
  /** Published for an hour, and with a stream of web's under this name. */
  const open = async (name: string) => {
    await run("mesh publish dev laptop-api --local 3000 --for 1h")
    const rule = await fixture.allow("dev", "sandbox:web", "laptop-api", 3000)
    await fixture.reachable(web, host, 3000, 60_000)
    await web.open(name, host, 3000)
    await web.ping(name, `${name}\n`)
    return rule
  }
  const endOf = async (name: string) => (await web.event(name, (event) => event.event === "error" || event.event === "end", 120_000)).code ?? "clean"
  const nameIsGone = () => eventually("the name is gone", async () => (await web.lookup(host)).code === "ENOTFOUND", 60_000)

  it("to join is not to publish: that is a right of its own, which the network shows", async () => {
    assert.include((await run("mesh publish dev laptop-api --local 3000", 3)).stderr, "next: gstacks mesh join dev")
    await run("mesh join dev")
    assert.include((await run("mesh publish dev laptop-api --local 3000", 1)).stderr, "gstacks network publisher allow dev ann")
    assert.include((await run("mesh publish dev laptop-api --local 3000 --for 48h", 2)).stderr, "a day at most")
    assert.deepStrictEqual([(await ann.status()).published, (await fixture.api("GET", "/networks/dev")).body.aliases], [[], []])
    await operator("network publisher allow dev ann")
    const published = await run("mesh publish dev laptop-api --local 3000 --for 1h")
    assert.include(published.stderr, "next: gstacks network policy allow dev --from <source> --to laptop-api --port 3000")
    const { aliases: [alias], publishers, localNodes: [node] } = (await fixture.api("GET", "/networks/dev")).body
    assert.deepStrictEqual([alias.name, alias.sandbox, alias.local.user, alias.local.id, publishers[0].user], ["laptop-api", null, "ann", node.id, "ann"])
  }, 180_000)

  it("is denied without a rule, and with one reached by whom it names, intact and with half-close; a program that is away is a reset", async () => {
    await eventually("the name is there", async () => (await web.lookup(host)).addresses !== undefined, 60_000)
    assert.strictEqual((await web.probe(host, 3000)).result, "ECONNREFUSED")
    await fixture.allow("dev", "sandbox:web", "laptop-api", 3000)
    await fixture.reachable(web, host, 3000, 60_000)
    const curl = await operator(`sandbox exec web -- curl -s --http0.9 -m 3 http://${host}:3000`, 28)
    assert.include(curl.stdout, "program:3000")
    assert.strictEqual((await other.probe(host, 3000)).result, "ECONNREFUSED")
    assert.strictEqual((await web.probe(host, 3001)).result, "ECONNREFUSED")

    for (const [alias, local] of [["laptop-sink", 3001], ["laptop-source", 3002], ["laptop-off", 3999]] as const) {
      await run(`mesh publish dev ${alias}:80 --local ${local}`)
      await fixture.allow("dev", "sandbox:web", alias, 80)
    }
    const [up, down] = await Promise.all([web.upload("laptop-sink.dev.gstacks", 80, 4 * MiB), web.download("laptop-source.dev.gstacks", 80, 4 * MiB)])
    assert.deepStrictEqual([up.received.bytes, up.received.sha256, up.received.end], [4 * MiB, up.sent, "fin"])
    assert.deepStrictEqual([down.received.bytes, down.received.sha256, down.received.end], [4 * MiB, down.expected, "fin"])
    assert.strictEqual((await web.probe("laptop-off.dev.gstacks", 80, { greeting: true })).result, "ECONNRESET")
  }, 180_000)

  it("is a target like any other to those who ask about policy, and no source; nobody's machine reaches it", async () => {
    assert.include((await operator("network policy explain dev sandbox:web laptop-api:3000")).stdout, "allowed")
    assert.include((await operator("network policy who-can dev laptop-api:3000")).stdout, "sandbox:web")
    assert.include((await operator("network policy what-can dev sandbox:web")).stdout, "local:ann")
    await operator("network policy explain dev sandbox:other laptop-api:3000", 5)
    assert.include((await operator("network policy allow dev --from laptop-api --to laptop-off --port 80", 2)).stderr, "local:ann")
    assert.include((await operator("network policy allow dev --from local --to laptop-api --port 3000", 2)).stderr, "does not reach another")
    assert.include((await operator("network alias move dev laptop-api web", 1)).stderr, "gstacks network alias remove dev laptop-api")
    const test = (await fixture.api("POST", "/networks/dev/tests?waitMs=30000", { source: "sandbox:web", alias: "laptop-api", port: 3000 })).body
    assert.strictEqual(test.verdict, "reachable", JSON.stringify(test))
  }, 180_000)

  it("status counts its streams; a revoked rule resets them, and so does the end by unpublish, with which the name goes", async () => {
    const { id } = await open("ruled")
    assert.deepInclude(await publication(), { state: "published", open: 1, local: 3000, rules: [id] })
    await fixture.revoke("dev", id)
    assert.strictEqual(await endOf("ruled"), "ECONNRESET")
    await open("withdrawn")
    await run("mesh unpublish dev laptop-api")
    assert.strictEqual(await endOf("withdrawn"), "ECONNRESET")
    await nameIsGone()
    assert.isUndefined(await publication())
  }, 180_000)

  it("ends on time, by itself, and by the revocation of the right, each time with a reset; status says why", async () => {
    await open("timed")
    await run("mesh publish dev laptop-api --local 3000 --for 2s")
    assert.strictEqual(await endOf("timed"), "ECONNRESET")
    await eventually("its time is over", async () => (await publication())?.reason === "its time is over", 60_000)
    await nameIsGone()

    await open("revoked")
    await operator("network publisher revoke dev ann")
    assert.strictEqual(await endOf("revoked"), "ECONNRESET")
    await eventually("status says so", async () => /the right was revoked/.test((await publication())?.reason), 60_000)
    assert.deepStrictEqual((await fixture.api("GET", "/networks/dev")).body.aliases, [])
    await operator("network publisher allow dev ann")
  }, 180_000)

  it("ends with the join, whether it is left or killed; meanwhile a diagnosis says that the machine is away", async () => {
    await open("left")
    await run("mesh leave dev")
    assert.strictEqual(await endOf("left"), "ECONNRESET")
    await nameIsGone()

    await run("mesh join dev")
    await open("killed")
    await ann.exec("kill", "-9", String((await ann.status()).pid))
    assert.strictEqual(await endOf("killed"), "ECONNRESET")
    assert.strictEqual((await web.probe(host, 3000, { greeting: true, timeoutMs: 60_000 })).result, "ECONNRESET")
    const test = (await fixture.api("POST", "/networks/dev/tests?waitMs=30000", { source: "sandbox:web", alias: "laptop-api", port: 3000 })).body
    assert.strictEqual(test.verdict, "unreachable", JSON.stringify(test))
    assert.match(JSON.stringify(test.trouble), /the machine of ann .*(away|not in the mesh)/)
    await run("mesh join dev")
    await nameIsGone()
  }, 300_000)
})
