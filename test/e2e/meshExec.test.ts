/** Commands of a developer's machine that see a network as a sandbox would: real Headscale, real meshds, a user without any privilege. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { mkdirSync, writeFileSync } from "node:fs"
import { Effect, Stream } from "effect"
import { join } from "node:path"
import { connect } from "../../src/cli/LocalDaemon/client.ts"
import type { Flow } from "../../src/domain/Flow.ts"
import type { CommandStatus } from "../../src/protocol/local/MeshRpcs.ts"
import { Laptop, type User } from "../harness/Laptop.ts"
import type { Peer } from "../harness/Peer.ts"
import { eventually, Fixture } from "./fixture.ts"

const api = "api.dev.gstacks"
const here = "127.0.0.1"
const gstacks = join(import.meta.dirname, "../../bin/gstacks")

describe("mesh exec, without any privilege", () => {
  let fixture: Fixture, laptop: Laptop, ann: User, one: Peer, two: Peer, address: string

  beforeAll(async () => {
    fixture = await Fixture.start(1)
    laptop = await Laptop.start(fixture.cluster)
    ann = laptop.as("ann", await fixture.userToken("ann"))
    const backend = await fixture.sandbox("backend", "host-1")
    for (const [port, behaviour] of [[8080, "echo"], [8081, "echo"], [8082, "hello"]] as const) await backend.listen(port, behaviour)
    await fixture.network("dev")
    await fixture.attach("dev", "backend", "api", [8080, 8081, 8082])
    for (const port of [8080, 8082]) await fixture.allow("dev", "local:ann", "api", port)
  }, 120_000)
  afterAll(async () => {
    one?.close()
    two?.close()
    await fixture?.stop()
    laptop?.remove()
  }, 60_000)

  const exec = (...command: ReadonlyArray<string>) => ann.gstacks("mesh exec dev --", ...command)
  const script = (name: string, text: string): string => {
    writeFileSync(join(ann.folder, name), text)
    return join(ann.folder, name)
  }
  const run = (line: string) => ann.run(line)
  const commands = async (): Promise<ReadonlyArray<CommandStatus>> => (await ann.status()).commands
  const reaches = (peer: Peer, host = api) => eventually(`${host} answers`, async () => (await peer.probe(host, 8080)).result === "open", 60_000)
  const endOf = async (peer: Peer, stream: string) => (await peer.event(stream, (event) => event.event === "error" || event.event === "end", 60_000)).code ?? "clean"

  it("without user namespaces says so, and joins all the same; once they are allowed, another background process has them", async () => {
    const early = await exec("true")
    assert.deepStrictEqual([early.code, early.stderr.includes("next: gstacks mesh join dev")], [3, true])
    mkdirSync(join(ann.folder, "bin"))
    writeFileSync(join(ann.folder, "bin/unshare"), "#!/bin/sh\nexit 1\n", { mode: 0o755 })
    const joined = await ann.exec("env", `PATH=${ann.folder}/bin:${process.env["PATH"]}`, gstacks, "mesh", "join", "dev")
    assert.strictEqual(joined.code, 0, joined.stderr)
    const refused = await exec("true")
    assert.deepStrictEqual([refused.code, refused.stderr.includes("cannot be given a network of its own")], [125, true], refused.stderr)
    const [, pid] = /kill (\d+)/.exec(refused.stderr)!
    await ann.exec("kill", pid!)
    await eventually("it has ended", async () => (await ann.exec("kill", "-0", pid!)).code !== 0, 60_000)
    await run("mesh join dev")
  }, 180_000)

  it("says what is wrong, and passes on how the command ended", async () => {
    assert.strictEqual((await ann.gstacks("mesh exec dev")).code, 125)
    assert.strictEqual((await exec("A=b")).code, 125)
    const absent = await exec("no-such-program")
    assert.deepStrictEqual([absent.code, absent.stderr.includes("no-such-program")], [127, true])
    assert.strictEqual((await exec(ann.folder)).code, 126)
    assert.strictEqual((await exec("sh", "-c", "exit 7")).code, 7)
    assert.strictEqual((await exec("sh", "-c", "kill -TERM $$")).code, 143)
    const seen = await exec("sh", "-c", "echo $PWD $XDG_STATE_HOME; id -u; grep Cap /proc/self/status; cat; echo word >&2")
    assert.strictEqual(seen.stdout, `${process.cwd()} ${ann.folder}/state\n1000\n${["Inh", "Prm", "Eff", "Bnd", "Amb"].map((set) => `Cap${set}:\t0000000000000000\n`).join("")}`)
    assert.include(seen.stderr, "word\n")
  }, 180_000)

  it("sees the network's names and addresses, and nothing else but its own loopback", async () => {
    const page = await exec("curl", "--silent", "--show-error", "--http0.9", `http://${api}:8082`)
    assert.deepStrictEqual([page.stdout, page.stderr, page.code], ["backend:8082\n", "", 0])
    one = await ann.peer("one", "mesh", "exec", "dev", "--")
    await reaches(one)
    address = (await one.lookup(api)).addresses![0]!
    assert.strictEqual((await one.probe(api, 8081)).result, "ECONNREFUSED", "published, and not permitted")
    assert.strictEqual((await one.lookup("apj.dev.gstacks")).code, "ENOTFOUND")
    assert.strictEqual((await one.lookup("example.com")).addresses, undefined)
    assert.strictEqual((await one.probe("10.99.0.1", 7070)).result, "ENETUNREACH")
  }, 180_000)

  it("several at once are apart from each other, and are seen", async () => {
    two = await ann.peer("two", "mesh", "exec", "dev", "--")
    for (const [name, peer] of [["one", one], ["two", two]] as const) {
      await peer.listen(3000)
      assert.strictEqual((await peer.probe(here, 3000)).text, `${name}:3000`)
      await reaches(peer)
    }
    assert.deepStrictEqual((await commands()).map(({ state }) => state), ["inside", "inside"])
    const [local] = (await fixture.api("GET", "/networks/dev")).body.localNodes
    await eventually("to the target it is the machine", async () => (await fixture.api("GET", "/networks/dev/flows")).body.flows.some((flow: Flow) => flow.sourceId === local.id && flow.port === 8080), 60_000)
  }, 180_000)

  it("the terminal's keys and signals reach the command, once, and what it makes of them counts", async () => {
    const ready = join(ann.folder, "ready")
    const inner = script("keys.sh", `trap "echo caught; exit 9" INT\ntest -t 0 && touch ${ready}\nfor i in $(seq 600); do sleep 0.1; done`)
    const outer = script("typist.sh", `(until [ -e ${ready} ]; do sleep 0.1; done; printf '\\003') | script -qec "exec $0 mesh exec dev -- sh ${inner}" /dev/null`)
    const typed = await ann.exec("sh", "-c", `. ${outer}`, gstacks)
    assert.deepStrictEqual([typed.stdout.match(/caught/g)?.length, typed.code], [1, 9], typed.stdout + typed.stderr)

    const told = ann.goOn(`mesh exec dev -- sh ${script("told.sh", "trap 'echo interrupted' INT\necho ready\nfor i in $(seq 600); do sleep 0.1; done")}`)
    await told.until(/ready/, 60_000)
    await ann.interrupt(told)
    await told.until(/interrupted/, 60_000)
    const { pid } = (await commands()).find(({ program }) => program === "sh")!
    await ann.exec("kill", "-9", /^\d+/.exec(told.said)![0])
    await eventually("the command ends with who typed it", async () => (await ann.exec("kill", "-0", String(pid))).code !== 0, 60_000)
    await eventually("it is forgotten", async () => (await commands()).every(({ program }) => program !== "sh"), 60_000)
  }, 180_000)

  it("a revoked rule resets its streams, refuses, and takes the name away; allowed again, all is back", async () => {
    await one.open("cut", api, 8080)
    await one.ping("cut", "hello\n")
    const { rules } = (await fixture.api("GET", "/networks/dev")).body
    for (const rule of rules) await fixture.revoke("dev", rule.id)
    assert.strictEqual(await endOf(one, "cut"), "ECONNRESET")
    await eventually("it is refused", async () => (await one.probe(address, 8080)).result === "ECONNREFUSED", 60_000)
    await eventually("the name is gone", async () => (await one.lookup(api)).code === "ENOTFOUND", 60_000)
    await fixture.allow("dev", "local", "api", 8080)
    await reaches(one)
  }, 180_000)

  it("lives through a restart of meshd", async () => {
    const { pid } = await ann.status()
    await one.open("broken", api, 8080)
    await ann.exec("sh", "-c", `kill -9 $(pgrep -P ${pid} meshd)`)
    assert.strictEqual(await endOf(one, "broken"), "ECONNRESET")
    await reaches(one)
    await reaches(two)
  }, 180_000)

  it("is served again when its connection to the background process breaks", async () => {
    const [{ id, pid, program }] = await commands() as readonly [CommandStatus]
    const takenOver = Effect.flatMap(connect(join(ann.folder, "run/gstacks-local/local.sock")), (client) => Stream.runHead(client.exec({ network: "dev", pid, program })))
    assert.isTrue((await Effect.runPromise(Effect.scoped(takenOver)))._tag === "Some")
    await eventually("it is back", async () => (await commands()).some((command) => command.pid === pid && command.id !== id && command.state === "inside"), 60_000)
    await reaches(one)
    await reaches(two)
  }, 180_000)

  it("kill -9 of the background process: the command goes on, and is reset and refused; after another join, new commands reach again", async () => {
    const staying = ann.goOn("mesh exec dev -- sleep 600")
    await eventually("it runs", async () => (await commands()).some(({ program }) => program === "sleep"), 60_000)
    await one.open("orphan", api, 8080)
    await ann.exec("kill", "-9", String((await ann.status()).pid))
    assert.strictEqual(await endOf(one, "orphan"), "ECONNRESET")
    assert.strictEqual((await one.probe(address, 8080)).result, "ECONNREFUSED")
    assert.strictEqual((await one.lookup(api)).addresses, undefined)
    await staying.until(/the command goes on.*gstacks mesh join dev/, 60_000)
    await run("mesh join dev")
    two.close()
    two = await ann.peer("three", "mesh", "exec", "dev", "--")
    await reaches(two)
    assert.strictEqual((await one.probe(address, 8080)).result, "ECONNREFUSED", "served by nobody")
  }, 180_000)

  it("leaving tells what still runs, and refuses it", async () => {
    await two.open("left", api, 8080)
    assert.match((await run("mesh leave dev")).stderr, /still running, and refused from now on: \S*node \(\d+\)/)
    assert.strictEqual(await endOf(two, "left"), "ECONNRESET")
    assert.strictEqual((await two.probe(address, 8080)).result, "ECONNREFUSED")
  }, 180_000)
})
