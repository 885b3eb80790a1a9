/** A developer's machine joins a network, forwards aliases and leaves: real Headscale, real meshds, in a network namespace that plays the machine. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { connect } from "../../src/cli/LocalDaemon/client.ts"
import type { Flow } from "../../src/domain/Flow.ts"
import { Laptop, type User } from "../harness/Laptop.ts"
import type { Peer } from "../harness/Peer.ts"
import { credentialsIn } from "./credentials.ts"
import { eventually, Fixture } from "./fixture.ts"
import { heal, partition } from "./partition.ts"

const MiB = 1 << 20
const here = "127.0.0.1"

/** All that the background process behind this socket shows of its actors, its whole journal too, as text. */
const everythingShown = (socket: string): Promise<string> => Effect.runPromise(Effect.scoped(Effect.gen(function*() {
  const { actor, actors, charts, journal } = yield* connect(socket)
  const all = yield* actors
  const texts = [JSON.stringify([all, yield* charts, yield* Effect.forEach(all, ({ address }) => actor(address))])]
  for (let after = 0, more = true; more;) {
    const page = yield* journal({ after })
    texts.push(JSON.stringify(page))
    more = page.entries.length > 0
    after = page.next
  }
  return texts.join("\n")
})))

describe("mesh, from a developer's machine", () => {
  let fixture: Fixture, laptop: Laptop, ann: User, client: Peer, token: string

  beforeAll(async () => {
    fixture = await Fixture.start(1)
    laptop = await Laptop.start(fixture.cluster)
    token = await fixture.userToken("ann")
    ann = laptop.as("ann", token)
    client = await ann.peer("client")
    const backend = await fixture.sandbox("backend", "host-1")
    for (const [port, behaviour] of [[8080, "echo"], [8081, "sink"], [8082, "source"]] as const) await backend.listen(port, behaviour)
    await fixture.network("dev")
    await fixture.attach("dev", "backend", "api", [8080, 8081, 8082])
  }, 120_000)
  afterAll(async () => {
    client?.close()
    await fixture?.stop()
    laptop?.remove()
  }, 60_000)

  const run = (line: string, code = 0, user = ann) => user.run(line, code)
  const forwarded = async (target: string, listen: string) => JSON.parse((await run(`mesh forward dev ${target} --local ${listen} --background --json`)).stdout)
  const stateOf = async (forward: string) => (await ann.status()).forwards.find((each: { id: string }) => each.id === forward)?.state
  const answers = (port: number) => eventually(`port ${port} answers`, async () => (await client.probe(here, port)).result === "open", 60_000)
  /** A stream that works, under this name. */
  const open = async (name: string, port: number) => {
    await client.open(name, here, port)
    await client.ping(name, `${name}\n`)
  }
  const endOf = async (name: string, waitMs = 60_000) => (await client.event(name, (event) => event.event === "error" || event.event === "end", waitMs)).code ?? "clean"

  it("says what is wrong: nothing joined, an infra name, a wildcard, a denied port", async () => {
    assert.include((await run("mesh forward dev api:8080 --local 18080", 3)).stderr, "next: gstacks mesh join dev")
    assert.include((await run("mesh join infra", 1)).stderr, "There is no network \"infra\"")
    assert.include((await run("mesh status")).stderr, "joined no network")
    await run("mesh join dev")
    assert.include((await run("mesh forward dev api:8080 --local 0.0.0.0:18080", 2)).stderr, "whoever reaches this machine")
    assert.include((await run("mesh forward dev api:8080 --local 18080", 1)).stderr, "next: gstacks network policy allow dev --from local:ann --to api --port 8080")
    assert.include((await run("mesh forward dev apj:8080 --local 18080", 1)).stderr, "Did you mean \"api\"")
  }, 180_000)

  it("forwards ports and sockets, each connection apart, intact and with half-close; a taken port is said", async () => {
    for (const port of [8080, 8081, 8082]) await fixture.allow("dev", "local:ann", "api", port)
    const echo = await forwarded("api:8080", "18080")
    await Promise.all([forwarded("api:8081", "18081"), forwarded("api:8082", "18082"), forwarded("api:8080", `unix:${ann.folder}/echo.sock`)])
    await answers(18080)
    assert.include((await run("mesh forward dev api:8080 --local 18080", 1)).stderr, "cannot listen")

    const [up, down] = await Promise.all([client.upload(here, 18081, 4 * MiB), client.download(here, 18082, 4 * MiB)])
    assert.deepStrictEqual([up.received.bytes, up.received.sha256, up.received.end], [4 * MiB, up.sent, "fin"])
    assert.deepStrictEqual([down.received.bytes, down.received.sha256, down.received.end], [4 * MiB, down.expected, "fin"])
    assert.strictEqual(statSync(join(ann.folder, "echo.sock")).mode & 0o777, 0o600)
    assert.strictEqual((await client.unix(join(ann.folder, "echo.sock"))).result, "open")

    await open("kept", 18080)
    await open("reset", 18080)
    await client.reset("reset")
    await client.ping("kept", "still\n")
    await Promise.all(Array.from({ length: 20 }, async () => assert.strictEqual((await client.probe(here, 18080)).result, "open")))
    const seen = (await ann.status()).forwards.find((each: { id: string }) => each.id === echo.id)
    assert.isAtLeast(seen.total, 22)
    assert.strictEqual(seen.open, 1)
  }, 180_000)

  it("is seen: in network show with its user, in status with its way, and its sockets are its user's alone", async () => {
    const folder = join(ann.folder, "run/gstacks-local")
    assert.strictEqual(statSync(folder).mode & 0o777, 0o700)
    for (const socket of ["local.sock", "meshd.sock"]) assert.strictEqual(statSync(join(folder, socket)).mode & 0o777, 0o600, socket)
    const [local] = (await fixture.api("GET", "/networks/dev")).body.localNodes
    const { networks: [joined] } = await ann.status()
    assert.deepStrictEqual([joined.state, joined.user, joined.id, joined.address], ["joined", "ann", local.id, local.address])
    assert.deepStrictEqual([local.user, joined.agents[0].agent], ["ann", "host-1"])
    assert.include(["direct", "relayed"], joined.agents[0].path)
  }, 180_000)

  it("shows its actors to its user, and nowhere in them a token, a guard or a key of the mesh", async () => {
    assert.match((await run("debug actors --local")).stdout, /^local +running [^]*^\| {2}`- dev +member\.joined +running .* localJoin /m)
    const guard = /API_DEV_TOKEN=(\S+)/.exec((await run("mesh forward dev api:8080 --local 0 --guard-token --env")).stdout)![1]!
    const file = join(ann.folder, "seen.jsonl")
    await run(`debug record --local --for 1s -o ${file}`)
    const shown = readFileSync(file, "utf8") + await everythingShown(join(ann.folder, "run/gstacks-local/local.sock"))
    assert.include(shown, "control.reached")
    const { privateKey } = credentialsIn([ann.folder])
    assert.isAtLeast(privateKey.size, 1, "of its mesh node")
    for (const secret of [token, guard, ...privateKey]) assert.isFalse(shown.includes(secret), `${secret.slice(0, 8)}... is shown`)
    assert.notMatch(shown, /\bhskey-|\bprivkey:|\bgs[a-z]_[\w-]{40}/)
  }, 180_000)

  it("is tested and traced as a source, from the machine itself; one that does not answer is a finding", async () => {
    const tested = async (target: string, code: number) => JSON.parse((await run(`network test dev local:ann ${target} --json`, code)).stdout)
    const own = (result: { readonly checks: ReadonlyArray<{ readonly agent: string | null; readonly check: string; readonly outcome: string }> }) =>
      result.checks.filter(({ agent }) => agent === "local:ann").map(({ check, outcome }) => `${check} ${outcome}`)
    const works = await tested("api:8080", 0)
    assert.deepStrictEqual(own(works), ["mesh pass", "topology pass", "dns pass", "route pass", "policy pass"], JSON.stringify(works.checks))
    const traced = JSON.parse((await run("network trace dev local:ann api:8080 --json")).stdout)
    assert.deepStrictEqual(traced.hops.map(({ hop, outcome }: { readonly hop: string; readonly outcome: string }) => `${hop} ${outcome}`),
      ["name skip", "source pass", "mesh pass", "target pass", "app pass", "firstByte pass"], JSON.stringify(traced.hops))
    await fixture.attach("dev", "backend", "closed", [8090])
    assert.deepStrictEqual(own(await tested("closed:8090", 5)), ["mesh pass", "topology pass", "dns skip", "route skip", "policy fail"])
    const { pid } = await ann.status()
    await ann.exec("kill", "-STOP", String(pid))
    const asleep = await tested("api:8080", 1)
    await ann.exec("kill", "-CONT", String(pid))
    assert.deepStrictEqual(own(asleep), ["mesh fail", "topology skip", "dns skip", "route skip", "policy skip"], JSON.stringify(asleep.checks))
    assert.include(asleep.trouble.reason, "does not answer")
  }, 180_000)

  it("a revoked rule resets its streams and closes the port; allowed again, it opens again", async () => {
    const { forwards } = await ann.status()
    const { id } = forwards.find((each: { listen: string }) => each.listen === `${here}:18080`)
    await open("cut", 18080)
    const { rules } = (await fixture.api("GET", "/networks/dev")).body
    await fixture.revoke("dev", rules.find((rule: { port: number }) => rule.port === 8080).id)
    assert.strictEqual(await endOf("cut"), "ECONNRESET")
    await eventually("the port is closed", async () => await stateOf(id) === "denied", 60_000)
    assert.strictEqual((await client.probe(here, 18080)).result, "ECONNREFUSED")
    await fixture.allow("dev", "local", "api", 8080)
    await answers(18080)
  }, 180_000)

  it("kill -9 of the background process leaves nothing, and status tells the truth; joining again works, and leaving removes all of it", async () => {
    const { pid } = await ann.status()
    await open("orphan", 18080)
    const children = (await ann.exec("sh", "-c", `cat /proc/${pid}/task/*/children`)).stdout.trim()
    assert.match(children, /^\d+$/, "meshd, which ends with it")
    await ann.exec("kill", "-9", String(pid))
    assert.strictEqual(await endOf("orphan"), "ECONNRESET")
    await eventually("the port is closed", async () => (await client.probe(here, 18080)).result === "ECONNREFUSED")
    const folder = join(ann.folder, "run/gstacks-local")
    for (const left of [join(folder, "meshd.sock"), join(folder, "meshd"), join(ann.folder, "echo.sock")]) await eventually(`no ${left}`, () => !existsSync(left), 60_000)
    await eventually("whose end is told, and the last of it gone", async () => {
      assert.deepStrictEqual(await ann.status(), { pid: null, networks: [], forwards: [], commands: [], published: [] })
      return !existsSync(join(folder, "local.sock"))
    }, 60_000)
    await eventually("no process is left", async () => (await ann.exec("test", "-e", `/proc/${children}/exe`)).code !== 0, 60_000)
    await run("mesh join dev")
    await forwarded("api:8080", "18080")
    await answers(18080)
    assert.strictEqual((await fixture.api("GET", "/networks/dev")).body.localNodes.length, 1, "the new join replaces the old one")

    await run("mesh leave dev")
    for (const left of ["local.sock", "meshd.sock", "meshd"]) await eventually(`no ${left}`, () => !existsSync(join(ann.folder, "run/gstacks-local", left)), 60_000)
    assert.deepStrictEqual((await fixture.api("GET", "/networks/dev")).body.localNodes, [])
  }, 180_000)

  it("joins again after a revocation, and another's or a wrong token leaves a join as it is", async () => {
    const { secret } = (await fixture.api("POST", "/tokens", { kind: "user", name: "carl" })).body
    const carl = laptop.as("carl", secret)
    const joined = async () => (await carl.status()).networks[0]
    await run("mesh join dev", 0, carl)
    const first = await joined()
    assert.strictEqual((await fixture.cluster.gstacks("mesh", "revoke", "dev", first.id)).code, 0)
    await eventually("it is revoked", async () => (await joined())?.state === "revoked", 60_000)
    await run("mesh join dev", 0, carl)
    const again = await joined()
    assert.deepInclude({ ...again, pid: (await carl.status()).pid !== null }, { state: "joined", user: "carl", pid: true })
    assert.notStrictEqual(again.id, first.id)

    assert.match((await run("mesh join dev", 4, laptop.as("carl", "gsu_wrong"))).stderr, /the join of dev goes on as it is[^]*gstacks login/)
    assert.include((await run("mesh join dev", 1, laptop.as("carl", await fixture.userToken("dora")))).stderr, "next: gstacks mesh leave dev")
    assert.deepInclude(await joined(), { state: "joined", id: again.id })
    await run("mesh leave dev", 0, carl)
  }, 180_000)

  /** Cut off is cut off from the control plane; the mesh between the two goes on. By the machine's own root: its users may not touch its network. */
  const onLaptop = (...command: ReadonlyArray<string>) => fixture.cluster.exec("control", "nsenter", "--net=/run/netns/laptop", "--", ...command)
  const onHost = (...command: ReadonlyArray<string>) => fixture.cluster.exec("host-1", ...command)
  interface Join { readonly user: User; readonly token: string; readonly id: string }
  const revoke = async ({ id }: Join) => assert.strictEqual((await fixture.cluster.gstacks("mesh", "revoke", "dev", id)).code, 0)
  const removeRight = async () => {
    const { rules } = (await fixture.api("GET", "/networks/dev")).body
    const { status } = await fixture.api("DELETE", `/networks/dev/rules/${rules.find((rule: { port: number }) => rule.port === 8080).id}`)
    assert.strictEqual(status, 200)
  }
  it.each([
    { what: "it is left", take: async ({ user }: Join) => { await run("mesh leave dev", 0, user) } },
    { what: "its token is revoked", take: async ({ token }: Join) => { assert.strictEqual((await fixture.api("DELETE", `/tokens/${token}`)).status, 200) } },
    { what: "it is revoked, and its machine is cut off", cut: onLaptop, take: revoke },
    { what: "it is revoked, and the target's agent is cut off", cut: onHost, take: revoke },
    { what: "its right is removed, and its machine is cut off", cut: onLaptop, take: removeRight },
    { what: "its right is removed, and the target's agent is cut off", cut: onHost, take: removeRight }
  ])("a join ends its streams: $what", async ({ what, cut, take }) => {
    const name = what.replaceAll(/[^a-z]+/g, "-")
    const { token, secret } = (await fixture.api("POST", "/tokens", { kind: "user", name })).body
    const user = laptop.as(name, secret)
    await run("mesh join dev", 0, user)
    await fixture.allow("dev", "local", "api", 8080)
    const { listen } = JSON.parse((await run("mesh forward dev api:8080 --local 0 --background --json", 0, user)).stdout)
    const port = Number(listen.split(":").at(-1))
    await answers(port)
    await open(name, port)
    const { id } = (await fixture.api("GET", "/networks/dev")).body.localNodes.find((node: { user: string }) => node.user === name)

    if (cut !== undefined) await partition(cut)
    await take({ user, token: token.id, id })
    assert.strictEqual(await endOf(name), "ECONNRESET")
    if (cut !== undefined) await heal(cut)
    let flow: Flow | undefined
    await eventually("the target's host has seen its end", async () => {
      const { flows } = (await fixture.api("GET", `/networks/dev/flows?source=local:${name}`)).body
      flow = flows.find((flow: Flow) => flow.closedAt !== null && flow.bytesToTarget === `${name}\n`.length)
      return flow !== undefined
    }, 60_000)
    assert.include(cut === onLaptop ? ["revoked"] : cut === onHost ? ["reset"] : ["revoked", "reset"], flow!.end, "who has heard of it ends it, without the other")
  }, 180_000)
})
