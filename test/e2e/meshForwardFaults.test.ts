/**
 * What lives and what ends when processes are killed under a developer's forward, from behind a NAT: real Headscale, agents and meshds.
 * TRANSFER_MIB=1024 carries a gibibyte across the restarts.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { join } from "node:path"
import { connect } from "../../src/cli/LocalDaemon/client.ts"
import { run } from "../harness/cluster.ts"
import { Laptop, type User } from "../harness/Laptop.ts"
import { Peer } from "../harness/Peer.ts"
import { eventually, Fixture } from "./fixture.ts"

const MiB = 1 << 20
const transfer = Number(process.env["TRANSFER_MIB"] ?? 256) * MiB
/** More than any of the tests that cut it can carry before. */
const endless = 64 * 1024 * MiB
/** After each MiB of a download that only has to be under way. */
const pauseMs = 20
const here = "127.0.0.1"
const [echo, sink, source, talker, resetting] = [8080, 8081, 8082, 8083, 8084]

describe("mesh forward under faults", () => {
  let fixture: Fixture, laptop: Laptop, ann: User, client: Peer, backend: Peer

  beforeAll(async () => {
    fixture = await Fixture.start(1)
    laptop = await Laptop.start(fixture.cluster, "behind a NAT")
    ann = laptop.as("ann", await fixture.userToken("ann"))
    client = await ann.peer("client")
    await fixture.network("dev")
    backend = await fixture.sandbox("backend", "host-1")
    for (const [port, behaviour] of [[echo, "echo"], [sink, "sink"], [source, "source"], [resetting, "reset"]] as const) await backend.listen(port, behaviour)
    await fixture.attach("dev", "backend", "api", [echo, sink, source, talker, resetting])
    for (const port of [echo, sink, source, talker, resetting]) await fixture.allow("dev", "local:ann", "api", port)
    assert.strictEqual((await ann.gstacks("mesh join dev")).code, 0)
    assert.strictEqual((await ann.gstacks("mesh forward dev --all --background")).code, 0)
    await answers()
  }, 180_000)
  afterAll(async () => {
    client?.close()
    await fixture?.stop()
    laptop?.remove()
  }, 60_000)

  const answers = () => eventually("the forward answers", async () => (await client.probe(here, echo, { timeoutMs: 10_000 })).result === "open", 90_000)
  /** Asked for at the socket: on a busy machine a command takes longer to start than a transfer to end. */
  const forwardOf = async (port: number) => {
    const { forwards } = await Effect.runPromise(Effect.scoped(Effect.flatMap(connect(join(ann.folder, "run/gstacks-local/local.sock")), (daemon) => daemon.status)))
    return forwards.find((each) => each.port === port)!
  }
  const path = async () => (await ann.status()).networks[0].agents[0]?.path
  const sent = async () => { const { bytesToSource, bytesToTarget } = await forwardOf(sink); return bytesToSource + bytesToTarget }
  const open = async (name: string, port = echo) => {
    await client.open(name, here, port)
    await client.ping(name, `${name}\n`)
  }
  /** How many connections of the talker, by the kernel's table, have bytes that it has not read. */
  const unread = ({ text = "" }: { readonly text?: string }) =>
    text.split("\n").filter((line) => new RegExp(`^ *\\d+: \\w+:${talker.toString(16).toUpperCase()} \\S+ 01 \\w+:(?!0{8})`).test(line)).length
  const kill = (...roles: ReadonlyArray<string>) => { for (const role of roles) fixture.cluster.kill(role, role === "agent" || role === "meshd" ? "host-1" : "") }
  const restarted = async (role: string, before: number | undefined) => eventually(`${role} runs again`, () => {
    const now = fixture.cluster.pid(role, role === "agent" || role === "meshd" ? "host-1" : "")
    return now !== undefined && now !== before
  }, 60_000)

  it("finds the direct way through the NAT", async () => {
    await eventually("it is direct", async () => await path() === "direct", 60_000)
  }, 120_000)

  it("a transfer under way when agent, control plane and Headscale are killed arrives whole, and a stream that was open lives on", async () => {
    await open("kept")
    const before = await sent()
    let over = false
    const upload = client.upload(here, sink, transfer, 40).finally(() => { over = true })
    await eventually("it is under way", async () => await sent() > before + 8 * MiB, 60_000)
    const pids = ["agent", "control", "headscale"].map((role) => [role, fixture.cluster.pid(role, role === "agent" ? "host-1" : "")] as const)
    kill("agent", "control", "headscale")
    assert.isFalse(over, "it was still under way")
    const { error, received, sent: digest } = await upload
    assert.isUndefined(error)
    assert.deepStrictEqual([received.bytes, received.sha256, received.end], [transfer, digest, "fin"])
    for (const [role, pid] of pids) await restarted(role, pid)
    await client.ping("kept", "still\n")
    await answers()
  }, 300_000)

  it("a transfer that a killed meshd cuts ends with a reset, in both directions, never short and clean; new ones work", async () => {
    const before = await sent()
    const up = client.upload(here, sink, endless), down = client.download(here, source, transfer * 4)
    await eventually("they are under way", async () => await sent() > before + 8 * MiB && (await forwardOf(source)).bytesToSource > 8 * MiB, 60_000)
    kill("meshd")
    assert.strictEqual((await up).error, "ECONNRESET")
    const { received } = await down
    assert.strictEqual(received.end, "ECONNRESET", `${received.bytes} of ${transfer * 4} bytes`)
    await answers()
  }, 300_000)

  it("so does one under which agent, control plane, Headscale and meshd are killed at once", async () => {
    const before = await sent()
    const up = client.upload(here, sink, endless)
    await eventually("it is under way", async () => await sent() > before + 8 * MiB, 60_000)
    kill("agent", "control", "headscale", "meshd")
    assert.strictEqual((await up).error, "ECONNRESET")
    await answers()
  }, 300_000)

  it("an app's reset ends its connection, and no other of its forward or of another one", async () => {
    const others = ["one", "two"].map((each) => `${each} beside`)
    for (const each of others) await open(each, resetting)
    await open("of another forward")
    await open("ill", resetting)
    await client.write("ill", "reset\n")
    assert.strictEqual((await client.event("ill", ({ event }) => event === "error" || event === "end", 60_000)).code, "ECONNRESET")
    for (const each of [...others, "of another forward"]) {
      await client.ping(each, "goes on\n")
      await client.reset(each)
    }
  }, 180_000)

  /**
   * What a killed app's connections end with is its kernel's choice: a reset when it leaves bytes unread, otherwise what it had sent and
   * an end, as if it had closed them. Nobody behind can tell that from a close, and a forward that tried would break good ends. So the
   * measure is a connection of the sandbox's own to the same app, at the same moment.
   */
  it.each([
    { what: "with bytes unread, ends with a reset", behaviour: "deaf", more: MiB, end: "ECONNRESET" },
    { what: "with nothing unread, ends as a direct one does, and what has come is what was sent", behaviour: "source", more: 0, end: "fin" }
  ])("a download whose app is killed $what", async ({ behaviour, more, end }) => {
    const folder = join(fixture.folder, "backend")
    const app = run(fixture.cluster.env, ["sandbox", "exec", "backend", "--", "/run/peer/node", "/run/peer/peer.mjs", "/run/out", behaviour])
    const peer = await Peer.connect(folder, behaviour)
    await peer.listen(talker, behaviour)
    await eventually("the forward leads to it", async () => (await client.probe(here, talker, { timeoutMs: 10_000, greeting: false })).result === "open", 60_000)
    const before = (await forwardOf(talker)).bytesToSource
    const ends = [client, backend].map((from) => from.download(here, talker, endless, { more, pauseMs }))
    await eventually("they are under way", async () => (await forwardOf(talker)).bytesToSource > before + MiB, 60_000)
    if (more > 0) await eventually("both have said what it does not read", async () => unread(await backend.read("/proc/net/tcp")) === 2, 60_000)
    await peer.die()
    const [forwarded, direct] = await Promise.all(ends)
    assert.deepStrictEqual([forwarded!.received.end, direct!.received.end], [end, end])
    for (const { expected, received } of [forwarded!, direct!]) assert.strictEqual(received.sha256, expected, `${received.bytes} bytes`)
    await app
  }, 180_000)

  it("a connection that has no way yet waits, and is served when there is one; after 5 s it is reset", async () => {
    fixture.cluster.freeze("meshd", "host-1")
    const ends: Array<string> = []
    let waits: Promise<unknown> | undefined
    let seen: unknown
    const oneWaits = async () => {
      waits ??= client.probe(here, echo, { timeoutMs: 60_000 }).then(({ result }) => { ends.push(result); waits = undefined })
      seen = await forwardOf(echo)
      return (seen as { readonly waiting: number }).waiting > 0
    }
    await eventually("it waits", oneWaits, 60_000).catch((error: Error) => assert.fail(`${error.message}: ${JSON.stringify([ends, seen])}`))
    await waits
    assert.strictEqual(ends.at(-1), "ECONNRESET")
    const served = client.probe(here, echo, { timeoutMs: 60_000 })
    fixture.cluster.thaw("meshd", "host-1")
    assert.strictEqual((await served).result, "open")
  }, 180_000)

  it("a machine that slept and wakes up in another network is joined, and its forwards answer", async () => {
    const { pid } = await ann.status()
    const tell = (signal: string) => ann.exec("sh", "-c", `kill -${signal} ${pid} $(cat /proc/${pid}/task/*/children)`)
    assert.strictEqual((await tell("STOP")).code, 0)
    await laptop.move()
    assert.strictEqual((await tell("CONT")).code, 0)
    await answers()
    await eventually("it is joined", async () => (await ann.status()).networks[0].state === "joined", 90_000)
    await eventually("it is direct", async () => await path() === "direct", 90_000)
  }, 300_000)

  it("with UDP blocked the way is relayed, what was open goes on, and transfers arrive whole", async () => {
    await open("before")
    await laptop.blockUdp()
    await client.write("before", "through the relay\n")
    await client.event("before", ({ event, text }) => event === "data" && text!.includes("through the relay"), 90_000)
    await eventually("it is relayed", async () => await path() === "relayed", 60_000)
    const { received, sent: digest } = await client.upload(here, sink, 8 * MiB)
    assert.deepStrictEqual([received.bytes, received.sha256, received.end], [8 * MiB, digest, "fin"])
  }, 240_000)

  it("transfers that the end of their sandbox cuts end with a reset, in both directions", async () => {
    const before = await sent()
    const up = client.upload(here, sink, endless), down = client.download(here, source, endless, { pauseMs })
    await eventually("they are under way", async () => await sent() > before + MiB && (await forwardOf(source)).open === 1, 60_000)
    assert.strictEqual((await fixture.cluster.gstacks("sandbox", "remove", "backend", "--yes")).code, 0)
    assert.strictEqual((await up).error, "ECONNRESET")
    assert.strictEqual((await down).received.end, "ECONNRESET")
  }, 180_000)
})
