/** The comforts of forwards from a developer's machine, with real programs: a whole network, variables, guards, many connections, two users. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { chmodSync, existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Laptop, type User } from "../harness/Laptop.ts"
import type { Peer } from "../harness/Peer.ts"
import { eventually, Fixture } from "./fixture.ts"

const here = "127.0.0.1"
/** Another uid is root's to take. */
const isRoot = process.getuid!() === 0

/** What the kernel says when each of the paths is opened: a socket, a folder, a link or a file. */
const openEach = `const fs = require("node:fs"), net = require("node:net")
const socket = (path) => new Promise((tell) => net.connect(path).once("connect", function() { this.destroy(); tell("open") }).once("error", (error) => tell(error.code)))
const other = (path) => {
  for (const open of [fs.readdirSync, fs.readlinkSync, fs.readFileSync]) {
    try { return open(path) && "open" } catch (error) { if (!["ENOTDIR", "EINVAL"].includes(error.code)) return error.code }
  }
}
Promise.all(process.argv.slice(1).map((path) => path.endsWith(".sock") ? socket(path) : other(path))).then((said) => console.log(JSON.stringify(said)))`

describe("mesh forward", () => {
  let fixture: Fixture, laptop: Laptop, ann: User, bob: User, client: Peer, annsToken: string, bobsToken: string

  beforeAll(async () => {
    fixture = await Fixture.start(1)
    laptop = await Laptop.start(fixture.cluster)
    annsToken = await fixture.userToken("ann")
    bobsToken = await fixture.userToken("bob")
    ;[ann, bob] = [laptop.as("ann", annsToken), isRoot ? laptop.asUid(4242, "bob", bobsToken) : laptop.as("bob", bobsToken)]
    client = await ann.peer("client")
    const backend = await fixture.sandbox("backend", "host-1")
    for (const port of [8080, 8081]) await backend.listen(port)
    await fixture.cluster.gstacks("sandbox", "run", "web", "--", "python3", "-m", "http.server", "8080", "--bind", "127.0.0.1")
    await fixture.network("dev")
    await fixture.attach("dev", "backend", "api", [8080, 8081])
    await fixture.attach("dev", "web", "web", [8080])
    for (const [alias, port] of [["api", 8080], ["web", 8080]] as const) await fixture.allow("dev", "local:ann", alias, port)
  }, 120_000)
  afterAll(async () => {
    client?.close()
    await fixture?.stop()
    laptop?.remove()
  }, 60_000)

  const run = (line: string, code = 0, user = ann) => user.run(line, code)
  const forwards = async (user = ann): Promise<ReadonlyArray<any>> => (await user.status()).forwards
  const forwardTo = async (alias: string, port: number) => (await forwards()).find((each) => each.alias === alias && each.port === port)
  const answers = (port: number) => eventually(`port ${port} answers`, async () => (await client.probe(here, port)).result === "open", 60_000)
  const refused = (port: number) => eventually(`port ${port} is refused`, async () => (await client.probe(here, port)).result === "ECONNREFUSED", 60_000)
  const http = async (...curl: ReadonlyArray<string>) => (await ann.exec("curl", "-s", "-m", "60", "-o", "/dev/null", "-w", "%{http_code}", ...curl)).stdout

  it("two users of one machine join at the same moment, twice each: a process a user, and neither sees the other's", async () => {
    assert.include((await run("mesh forward dev --all", 3)).stderr, "next: gstacks mesh join dev")
    await Promise.all([ann, ann, bob, bob].map((user) => run("mesh join dev", 0, user)))
    const { localNodes } = (await fixture.api("GET", "/networks/dev")).body
    assert.deepStrictEqual(localNodes.map((node: { user: string }) => node.user).sort(), ["ann", "bob"])
    const [ofAnn, ofBob] = await Promise.all([ann.status(), bob.status()])
    assert.notStrictEqual(ofAnn.pid, ofBob.pid)
    for (const { folder } of [ann, bob]) assert.isTrue(existsSync(join(folder, "run/gstacks-local/meshd.sock")), "who came second has touched nothing")
    assert.deepStrictEqual([ofAnn, ofBob].map(({ networks }) => networks.map((network: { user: string }) => network.user)), [["ann"], ["bob"]])
  }, 180_000)

  if (isRoot) it("users of two uids: neither opens the other's sockets, files, processes or forwards, though their homes are open to all", async () => {
    await fixture.allow("dev", "local:bob", "api", 8080)
    const [ofAnn, ofBob] = await Promise.all([ann, bob].map(async (user) => {
      const forward = join(user.folder, "echo.sock")
      await eventually("the forward listens", async () => (await user.gstacks(`mesh forward dev api:8080 --local unix:${forward} --background`)).code === 0, 60_000)
      for (const open of ["", "run", "state", "config"]) chmodSync(join(user.folder, open), 0o755)
      const [run, state] = [join(user.folder, "run/gstacks-local"), join(user.folder, "state/gstacks/local")]
      const process = `/proc/${(await user.status()).pid}`
      return [forward, join(run, "local.sock"), join(run, "meshd.sock"), run, join(run, "meshd"), join(run, "local.log"), state, join(state, "machine.json"), ...["environ", "fd", "cwd", "root", "maps"].map((what) => join(process, what))]
    }))
    const opened = async (user: User, paths: ReadonlyArray<string>) => JSON.parse((await user.script(openEach, ...paths)).stdout)
    for (const [user, own, others] of [[ann, ofAnn!, ofBob!], [bob, ofBob!, ofAnn!]] as const) {
      assert.deepStrictEqual(await opened(user, own), own.map(() => "open"))
      assert.deepStrictEqual(await opened(user, others), others.map(() => "EACCES"))
      const all = (await user.exec("sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '")).stdout
      assert.include(all, "local.mjs", "the others' processes are seen")
      for (const token of [annsToken, bobsToken]) assert.notInclude(all.replaceAll(`GSTACKS_TOKEN=${token}`, ""), token, "and no secret in their words")
      assert.lengthOf(await forwards(user), 1)
    }
    const inAnnsPlace = await bob.sh(`XDG_RUNTIME_DIR=${ann.folder}/run XDG_STATE_HOME=${ann.folder}/state gstacks mesh status --json`)
    assert.deepInclude(JSON.parse(inAnnsPlace.stdout), { pid: null, networks: [], forwards: [] }, inAnnsPlace.stderr)
    for (const user of [ann, bob]) {
      for (const { id } of await forwards(user)) await run(`mesh close ${id}`, 0, user)
      assert.deepStrictEqual(await forwards(user), [])
    }
    const { rules } = (await fixture.api("GET", "/networks/dev")).body
    await fixture.revoke("dev", rules.find((rule: { source: string }) => JSON.stringify(rule).includes("bob")).id)
  }, 180_000)

  it("infra is not to be joined: by no flag, no name that may mean it, no administrator's token, nor past the CLI", async () => {
    const refused = async ([line]: readonly [string, string]) => {
      const { code, stdout } = await ann.gstacks(`--json ${line}`)
      assert.notStrictEqual(code, 0, line)
      return [line, JSON.parse(stdout).type.replace("urn:gstacks:problem:", "")]
    }
    const names = ["infra", "infra.gstacks", "tag:infra", "INFRA", "infra-dev"]
    const joins = [
      ...names.map((name) => [`mesh join ${name}`, name.startsWith("infra") && !name.includes(".") ? "join-refused" : "usage"] as const),
      [`mesh join infra --token ${fixture.cluster.token} --wait ready --timeout 1s`, "join-refused"] as const
    ]
    const others = [
      ...["infra:8080 --local 0", "--all", "--all --env", "api:8080 --local 0 --expose --expose-to-everyone", "api:8080 --local unix:/tmp/infra.sock --guard-token", "api:8080 --host-header infra --background"]
        .map((rest) => [`mesh forward infra ${rest}`, "not-joined"] as const),
      ["mesh forward dev infra:8080 --local 0", "forward-refused"], ["mesh forward dev meta.infra:5432 --local 0", "usage"],
      ["mesh publish infra meta --local 3000 --for 1h", "not-joined"], ["mesh exec infra -- true", "not-joined"], ["mesh leave infra", "not-joined"]
    ] as const
    assert.deepStrictEqual([await Promise.all(joins.map(refused)), await Promise.all(others.map(refused))], [joins, others])

    const machine = JSON.parse(readFileSync(join(ann.folder, "state/gstacks/local/machine.json"), "utf8")).state.machineId
    const asked = async (bearer: string, network: string) => {
      const answer = await fetch(`${fixture.cluster.url}/api/v1/networks/${encodeURIComponent(network)}/local-nodes`, {
        method: "POST", headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" }, body: JSON.stringify({ machine, name: "laptop" })
      })
      return [network, answer.status, (await answer.json() as { readonly type: string }).type]
    }
    const refs = [...names, "net_01m8hxfmj09h6wvh5g", "*", "../dev", "1"]
    for (const bearer of [annsToken, fixture.cluster.token]) {
      assert.deepStrictEqual(await Promise.all(refs.map((ref) => asked(bearer, ref))), refs.map((ref) => [ref, 404, "urn:gstacks:problem:network-not-found"]))
    }
    assert.deepStrictEqual((await ann.status()).networks.map(({ network }: { readonly network: string }) => network), ["dev"])
  }, 180_000)

  it("--all maps what the policy permits, prints variables that a shell can use, and follows", async () => {
    const used = await ann.sh("eval \"$(gstacks mesh forward dev --all --env)\" && echo \"$API_DEV_8080_PORT $WEB_DEV_PORT\" && curl -s -m 60 --retry 5 --retry-all-errors -o /dev/null -w '%{http_code}' \"$WEB_DEV_URL\"")
    const web = await forwardTo("web", 8080)
    assert.strictEqual(used.stdout, `8080 ${web.listen.split(":")[1]}\n200`, used.stderr)
    assert.notStrictEqual(web.listen, `${here}:8080`, "the alias that comes first has its own port")
    await answers(8080)
    assert.deepStrictEqual(await forwards(bob), [])
    assert.include((await run("mesh forward dev --all", 1)).stderr, "next: gstacks mesh status, or end it: gstacks mesh close dev/all")

    const rule = await fixture.allow("dev", "local:ann", "api", 8081)
    await answers(8081)
    await fixture.revoke("dev", rule.id)
    await refused(8081)
    assert.strictEqual((await client.probe(here, 8080)).result, "open")
    await fixture.allow("dev", "local:ann", "api", 8081)
    await answers(8081)

    assert.include((await run(`mesh close ${web.id}`, 1)).stderr, "next: gstacks mesh close dev/all")
    await run("mesh close dev/all")
    assert.deepStrictEqual(await forwards(), [])
    await refused(8080)
  }, 180_000)

  it("a rule's own end closes the forward", async () => {
    await fixture.change("POST", "/networks/dev/rules", { from: "local:bob", to: "api", port: 8080, forSeconds: 10 })
    await eventually("bob may", async () => (await bob.gstacks("mesh forward dev api:8080 --local 18070 --background")).code === 0, 60_000)
    await answers(18070)
    await refused(18070)
    assert.include((await run("mesh forward dev api:8080 --local 18071", 1, bob)).stderr, "next: gstacks network policy allow dev --from local:bob --to api --port 8080")
  }, 180_000)

  it("goes on until Ctrl-C in the foreground, and warns of web pages", async () => {
    const forward = ann.goOn("mesh forward dev api:8080 --local 18080")
    await forward.until(/until Ctrl-C/, 60_000)
    assert.match(forward.said, /listens[^]*every web page[^]*--host-header/)
    await answers(18080)
    await ann.interrupt(forward)
    await refused(18080)
    const all = ann.goOn("mesh forward dev --all")
    await all.until(/until Ctrl-C/, 60_000)
    await answers(8080)
    await ann.interrupt(all)
    await refused(8080)
    await eventually("no forward is left", async () => (await forwards()).length === 0, 60_000)

    const closed = ann.goOn("mesh forward dev --all")
    await closed.until(/until Ctrl-C/, 60_000)
    await run("mesh close dev/all")
    await closed.until(/the forward into dev has ended/, 60_000)
  }, 180_000)

  it("--host-header and --guard-token let nothing in that a page of somebody else could send", async () => {
    const guarded = await run("mesh forward dev web:8080 --local 18001 --host-header 127.0.0.1 --host-header web.localhost --background")
    assert.notInclude(guarded.stderr, "every web page")
    const url = `http://${here}:18001/`
    await eventually("it answers", async () => await http(url) === "200", 60_000)
    assert.deepStrictEqual(await Promise.all([
      http(url, "-H", "Host: web.localhost:18001"), http(url, "-H", "Host: evil.example"), http(url, "-H", "Origin: https://evil.example"), http(url, "-H", "Sec-Fetch-Site: cross-site"),
      http(url, "-H", "Host: evil.example", "--data-binary", "@/etc/services")
    ]), ["200", "421", "403", "403", "421"])
    assert.strictEqual((await forwardTo("web", 8080)).refused, 4)

    const token = /WEB_DEV_TOKEN=(\S+)/.exec((await run("mesh forward dev web:8080 --local 18002 --guard-token --env")).stdout)![1]!
    assert.deepStrictEqual(await Promise.all([
      http(`http://${here}:18002/`, "-H", `Gstacks-Token: ${token}`), http(`http://${here}:18002/`), http(`http://${here}:18002/`, "-H", "Gstacks-Token: guessed")
    ]), ["200", "403", "403"])
    assert.notInclude(JSON.stringify(await ann.status()), token)
  }, 180_000)

  it("carries 1,000 connections one after the other, and 200 at once", async () => {
    const { id } = JSON.parse((await run("mesh forward dev api:8080 --local 18080 --background --json")).stdout)
    await answers(18080)
    for (let n = 0; n < 1_000; n++) assert.strictEqual((await client.probe(here, 18080, { timeoutMs: 60_000 })).result, "open", `connection ${n}`)
    const names = Array.from({ length: 200 }, (_, n) => `many-${n}`)
    await Promise.all(names.map((name) => client.open(name, here, 18080)))
    await Promise.all(names.map((name) => client.event(name, ({ event }) => event === "data", 60_000)))
    const seen = (await forwards()).find((each) => each.id === id)
    assert.strictEqual(seen.open, 200)
    assert.isAtLeast(seen.total, 1_200)
    for (const name of names) await client.reset(name)
    await eventually("all have ended", async () => (await forwards()).find((each) => each.id === id).open === 0, 60_000)
  }, 240_000)

  it("a revoked token ends what its user joined, at once, and nobody else's", async () => {
    await fixture.allow("dev", "local:bob", "api", 8080)
    await eventually("bob's old forward is back", async () => (await forwards(bob))[0]?.state === "listening", 60_000)
    await client.open("of-bob", here, 18070)
    await client.open("of-ann", here, 18080)
    for (const name of ["of-bob", "of-ann"]) await client.event(name, ({ event }) => event === "data", 60_000)
    const tokens = (await fixture.api("GET", "/tokens")).body
    const { id } = tokens.find((token: { name: string }) => token.name === "bob")
    assert.isBelow((await fixture.api("DELETE", `/tokens/${id}`)).status, 300)
    assert.strictEqual((await client.event("of-bob", ({ event }) => event === "error" || event === "end", 60_000)).code, "ECONNRESET")
    await refused(18070)
    await client.ping("of-ann", "still\n")
  }, 180_000)
})
