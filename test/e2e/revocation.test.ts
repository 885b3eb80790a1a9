/**
 * Whatever takes a right away resets the streams that rested on it, and no other, at the source's end and at the target's: also when
 * one of the two does not hear of it. The receipt tells how many it were.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { randomUUID } from "node:crypto"
import type { PolicyDiff } from "../../src/domain/PolicyDiff.ts"
import type { Receipt } from "../../src/domain/Receipt.ts"
import { Laptop, type User } from "../harness/Laptop.ts"
import type { Peer, StreamEvent } from "../harness/Peer.ts"
import { eventually, Fixture } from "./fixture.ts"
import { heal, partition } from "./partition.ts"

const api = "api.dev.gstacks"
const broken = (event: StreamEvent) => event.event === "error" || event.event === "end"

describe("revocation", () => {
  let fixture: Fixture
  let web: Peer
  let near: Peer
  let backend: Peer
  let laptop: Laptop

  beforeAll(async () => {
    fixture = await Fixture.start(2)
    ;[web, near, backend] = await Promise.all([fixture.sandbox("web", "host-1"), fixture.sandbox("near", "host-2"), fixture.sandbox("backend", "host-2"), fixture.sandbox("spare", "host-2")])
    for (const port of [8080, 8081, 9090]) await backend.listen(port)
    await fixture.network("dev")
    for (const name of ["web", "near", "spare"]) await fixture.attach("dev", name)
    await fixture.attach("dev", "backend", "lasting", [9090])
    await fixture.allow("dev", "any", "lasting", 9090)
    await publish()
    for (const peer of [web, near]) await fixture.reachable(peer, api, 8080)
    laptop = await Laptop.start(fixture.cluster)
  }, 120_000)
  afterAll(async () => {
    await fixture?.stop()
    laptop?.remove()
  }, 60_000)

  /** The alias with its rule, anew. */
  const publish = async () => {
    await fixture.change("POST", "/networks/dev/aliases", { alias: "api", sandbox: "backend", ports: [8080, 8081] })
    return fixture.allow("dev", "any", "api", 8080)
  }
  const only = async () => (await fixture.api("GET", "/networks/dev/rules")).body.find((rule: { to: string }) => rule.to === "api").id as string

  /** A stream from each of the peers to what is going to end, and one to what is not. */
  const openAll = async (peers: ReadonlyArray<Peer> = [web, near]) => {
    const id = randomUUID()
    for (const peer of peers) {
      await fixture.reachable(peer, api, 8080)
      for (const [name, host, port] of [[`${id}-ending`, api, 8080], [`${id}-lasting`, "lasting.dev.gstacks", 9090]] as const) {
        await peer.open(name, host, port)
        await peer.ping(name, "open\n")
      }
    }
    return {
      broken: (peer: Peer) => peer.event(`${id}-ending`, broken, 60_000),
      /** And is closed, so that nobody counts it later. */
      lasts: async (peer: Peer) => {
        await peer.ping(`${id}-lasting`, "lasting\n")
        await peer.reset(`${id}-lasting`)
      },
      end: (peer: Peer) => peer.reset(`${id}-ending`),
      lives: (peer: Peer, text: string) => peer.ping(`${id}-ending`, text)
    }
  }
  /** How many connections the program at the target has on a port, as its own kernel tells. */
  const atTarget = async (port: number): Promise<number> => {
    const own = new RegExp(`^ *\\d+: [0-9A-F]{8}:${port.toString(16).toUpperCase().padStart(4, "0")} \\S+ (?!0[6A] )`) // neither LISTEN nor TIME_WAIT
    return (await backend.read("/proc/net/tcp")).text!.split("\n").filter((line) => own.test(line)).length
  }
  const closes = async (port = 8080) => void (await eventually(`the target has no connection on ${port}`, async () => await atTarget(port) === 0, 60_000))
  const receiptOf = async ({ network, version }: { readonly network: string; readonly version: number }, timeoutMs = 30_000): Promise<Receipt> =>
    (await fixture.api("GET", `/networks/${network}/receipts/${version}?timeoutMs=${timeoutMs}`)).body

  const told = ({ agent, asSource, asTarget }: { readonly agent: string; readonly asSource: number; readonly asTarget: number }): string => `${agent} ${asSource} ${asTarget}`

  /** `restore` may bring the sandbox of a peer back as another one. */
  const takings: ReadonlyArray<{ readonly what: string; readonly take: readonly [method: string, path: () => Promise<string> | string, body?: unknown]; readonly restore: () => Promise<unknown> }> = [
    { what: "a rule", take: ["DELETE", async () => `/networks/dev/rules/${await only()}`], restore: () => fixture.allow("dev", "any", "api", 8080) },
    { what: "a port of an alias", take: ["DELETE", () => "/networks/dev/aliases/api?port=8080"], restore: publish },
    {
      what: "an alias's place", take: ["POST", () => "/networks/dev/aliases/api/move", { sandbox: "spare" }],
      restore: () => fixture.change("POST", "/networks/dev/aliases/api/move", { sandbox: "backend" })
    },
    { what: "an alias", take: ["DELETE", () => "/networks/dev/aliases/api"], restore: publish }
  ]

  it.each(takings)("$what: both ends close, what another rule allows lives on, and each connection counts once", async ({ take: [method, path, body], restore }) => {
    const streams = await openAll()
    const { body: { change } } = await fixture.api(method, await path(), body)
    for (const peer of [web, near]) assert.strictEqual((await streams.broken(peer)).code, "ECONNRESET")
    await closes()
    assert.strictEqual(await atTarget(9090), 2)
    const { closed, elapsedMs } = await receiptOf(change)
    assert.strictEqual(closed!.connections, 2)
    assert.isAtMost(closed!.lastByteMs!, elapsedMs!)
    for (const peer of [web, near]) await streams.lasts(peer)
    await restore()
  }, 60_000)

  /** The streams that a change would reset, as a dry run tells them, and who did not answer. */
  const tried = async (...change: ReadonlyArray<string>) => {
    const { code, stdout, stderr } = await fixture.cluster.gstacks("network", ...change, "--dry-run", "--json")
    assert.strictEqual(code, 0, stderr)
    const { cut, agents } = (JSON.parse(stdout) as PolicyDiff).flows
    return {
      cut: cut.map(({ source, alias, port, count }) => `${count} ${source} ${alias}:${port}`).toSorted(),
      silent: agents.flatMap(({ agent, problem }) => problem === null ? [] : [agent])
    }
  }

  it("a dry run tells which connections a change would reset, and resets none", async () => {
    const streams = await openAll()
    const ofNear = "1 sandbox:near api:8080", ending = [ofNear, "1 sandbox:web api:8080"]
    assert.deepStrictEqual(await tried("policy", "revoke", "dev", await only()), { cut: ending, silent: [] })
    assert.deepStrictEqual(await tried("alias", "move", "dev", "api", "spare"), { cut: ending, silent: [] })
    assert.deepStrictEqual(await tried("detach", "dev", "near"), { cut: [ofNear, "1 sandbox:near lasting:9090"], silent: [] })
    assert.deepStrictEqual((await tried("policy", "allow", "dev", "--from", "sandbox:web", "--to", "api", "--port", "8080")).cut, [])
    for (const peer of [web, near]) {
      await streams.lives(peer, "nothing was changed\n")
      await streams.lasts(peer)
      await streams.end(peer)
    }
  }, 60_000)

  it("an attachment of the source, with the command that says so", async () => {
    const streams = await openAll()
    const { code, stderr } = await fixture.cluster.gstacks("network", "detach", "dev", "near", "--yes")
    assert.strictEqual((await streams.broken(near)).code, "ECONNRESET")
    assert.strictEqual(code, 0)
    assert.match(stderr, /; 2 connections closed, last byte \d+ ms after commit\n/, "both of its streams, since it is a member no more")
    await streams.lives(web, "the other source's\n")
    await streams.lasts(web)
    await streams.end(web)
    await fixture.attach("dev", "near")
  }, 60_000)

  /** What ends it, as the target's side alone sees to it: the change when there is one at once. */
  const alone: ReadonlyArray<{ readonly what: string; readonly end: () => Promise<unknown>; readonly restore: () => Promise<unknown>; readonly lasts?: false }> = [
    { what: "a rule", end: async () => fixture.api("DELETE", `/networks/dev/rules/${await only()}`), restore: () => fixture.allow("dev", "any", "api", 8080) },
    { what: "a rule's time", end: () => fixture.api("POST", "/networks/dev/rules", { from: "any", to: "api", port: 8080, forSeconds: 1 }), restore: () => fixture.allow("dev", "any", "api", 8080) },
    { what: "an alias", end: () => fixture.api("DELETE", "/networks/dev/aliases/api"), restore: publish },
    { what: "an attachment", end: () => fixture.api("DELETE", "/networks/dev/attachments/web"), restore: () => fixture.attach("dev", "web"), lasts: false }
  ]

  it.each(alone)("$what ends while the source's agent and meshd are frozen: the target closes by itself", async ({ end, restore, lasts = true }) => {
    const streams = await openAll([web])
    await eventually("probes are over", async () => await atTarget(8080) === 1, 60_000)
    for (const role of ["agent", "meshd"]) fixture.cluster.freeze(role, "host-1")
    try {
      await end()
      await closes()
      if (lasts) assert.strictEqual(await atTarget(9090), 1)
      else await closes(9090)
    } finally {
      for (const role of ["meshd", "agent"]) fixture.cluster.thaw(role, "host-1")
    }
    assert.strictEqual((await streams.broken(web)).code, "ECONNRESET")
    await eventually("its end is in the books", async () => (await fixture.api("GET", "/networks/dev/rules")).body.every((rule: { expiresAt: string | null }) => rule.expiresAt === null))
    const { closed } = await receiptOf({ network: "dev", version: (await fixture.api("GET", "/networks/dev")).body.network.version })
    assert.deepStrictEqual(closed!.agents.map(told), [`host-2 0 ${lasts ? 1 : 2}`])
    if (lasts) await streams.lasts(web)
    await restore()
  }, 120_000)

  it.each([
    ["a join", async () => {
      const [{ id }] = (await fixture.api("GET", "/networks/dev/local-nodes")).body
      return fixture.api("DELETE", `/networks/dev/local-nodes/${id}`)
    }],
    ["the token of a join", (token: string) => fixture.api("DELETE", `/tokens/${token}`)]
  ] as const)("%s is revoked while its machine is frozen: the target closes by itself", async (what, end) => {
    const name = what === "a join" ? "ann" : "bob"
    const { body: { secret, token } } = await fixture.api("POST", "/tokens", { kind: "user", name })
    const user: User = laptop.as(name, secret)
    await user.run("mesh join dev")
    const rule = await fixture.allow("dev", `local:${name}`, "api", 8081)
    await user.run("mesh forward dev api:8081 --local 18081 --background")
    const client = await user.peer(name)
    await eventually("it is forwarded", async () => (await client.probe("127.0.0.1", 18081)).result === "open", 60_000)
    await client.open("ending", "127.0.0.1", 18081)
    await client.ping("ending", "open\n")
    const { pid } = await user.status()
    const tell = (signal: string) => user.exec("sh", "-c", `kill -${signal} ${pid} $(cat /proc/${pid}/task/*/children)`)
    assert.strictEqual((await tell("STOP")).code, 0)
    try {
      assert.strictEqual((await end(token.id)).status, 200)
      await closes(8081)
      const { version } = (await fixture.api("GET", "/networks/dev")).body.network
      assert.deepStrictEqual((await receiptOf({ network: "dev", version })).closed!.agents.map(told), ["host-2 0 1"])
    } finally {
      await tell("CONT")
    }
    assert.strictEqual((await client.event("ending", broken, 60_000)).code, "ECONNRESET")
    client.close()
    await fixture.revoke("dev", rule.id)
  }, 180_000)

  const onHost = (host: string) => (...command: ReadonlyArray<string>) => fixture.cluster.exec(host, ...command)

  it.each([["the source's agent", "host-1"], ["the target's agent", "host-2"]])("%s is cut off: the other one closes the stream, and the receipt tells when it is back", async (_, host) => {
    const streams = await openAll([web])
    await partition(onHost(host))
    await eventually("a dry run is told by the other agent alone", async () => {
      const { cut, silent } = await tried("policy", "revoke", "dev", await only())
      return cut.join() === "1 sandbox:web api:8080" && silent.join() === host
    }, 30_000)
    const { body: { change } } = await fixture.api("DELETE", `/networks/dev/rules/${await only()}`)
    assert.strictEqual((await streams.broken(web)).code, "ECONNRESET")
    await closes()
    await eventually("the other agent has answered", async () => (await receiptOf(change, 0)).pending.map(({ agent }) => agent as string).join() === host)
    await streams.lasts(web)
    await heal(onHost(host))
    const { closed } = await receiptOf(change)
    assert.strictEqual(closed!.connections, 1)
    assert.include(closed!.agents.map(told), host === "host-1" ? "host-2 0 1" : "host-1 1 0")
    await fixture.allow("dev", "any", "api", 8080)
  }, 90_000)

  it("both are cut off: the stream goes on until they are back, and ends then", async () => {
    const streams = await openAll([web])
    for (const host of ["host-1", "host-2"]) await partition(onHost(host))
    const { body: { change } } = await fixture.api("DELETE", `/networks/dev/rules/${await only()}`)
    await streams.lives(web, "nobody has heard of it\n")
    for (const host of ["host-1", "host-2"]) await heal(onHost(host))
    assert.strictEqual((await streams.broken(web)).code, "ECONNRESET")
    assert.strictEqual((await receiptOf(change)).closed!.connections, 1)
    await streams.lasts(web)
    await fixture.allow("dev", "any", "api", 8080)
  }, 90_000)

  it("a frozen agent: its sandbox is removed, and the other end closes what came from it", async () => {
    const streams = await openAll([web])
    fixture.cluster.freeze("agent", "host-1")
    try {
      const removed = fixture.api("DELETE", "/sandboxes/web") // waits for the agent, for a while
      assert.strictEqual((await streams.broken(web)).code, "ECONNRESET")
      fixture.cluster.thaw("agent", "host-1")
      const { body: { changes: [change] } } = await removed
      assert.strictEqual((await receiptOf(change)).closed!.connections, 2)
    } finally {
      fixture.cluster.thaw("agent", "host-1")
    }
  }, 60_000)

  it("an agent that is cut off, with what it hosts: the other side ends what came from it and what went to it, and nothing opens any more", async () => {
    const old = await fixture.sandbox("old", "host-1")
    await old.listen(7070)
    await fixture.attach("dev", "old", "old", [7070])
    await fixture.allow("dev", "any", "old", 7070)
    const streams = await openAll([old])
    await fixture.reachable(near, "old.dev.gstacks", 7070)
    await near.open("to it", "old.dev.gstacks", 7070)
    await near.ping("to it", "open\n")
    const inUse = await fixture.api("DELETE", "/agents/host-1")
    assert.strictEqual(inUse.status, 409, JSON.stringify(inUse.body))
    await streams.lives(old, "it hosts a sandbox still\n")

    await partition(onHost("host-1"))
    const removed = fixture.api("DELETE", "/sandboxes/old") // waits for the agent, for a while
    assert.strictEqual((await streams.broken(old)).code, "ECONNRESET")
    assert.strictEqual((await near.event("to it", broken, 60_000)).code, "ECONNRESET")
    await closes()
    assert.strictEqual((await fixture.api("DELETE", "/agents/host-1")).status, 200)
    const { body: { changes: [change] } } = await removed
    assert.strictEqual((await receiptOf(change)).closed!.connections, 3, "by the other host alone; nobody waits for the one that is gone")
    assert.notStrictEqual((await old.probe(api, 8080)).result, "open", "its host, which has not heard of it, still lets it try")
    await heal(onHost("host-1"))
    assert.deepStrictEqual((await fixture.api("GET", "/agents")).body.map(({ name }: { readonly name: string }) => name), ["host-2"])
    assert.notStrictEqual((await old.probe(api, 8080)).result, "open", "nor when its host asks again")
  }, 90_000)

  it("a network", async () => {
    const streams = await openAll([near])
    const { body: { change } } = await fixture.api("DELETE", "/networks/dev?cascade=true")
    assert.strictEqual((await streams.broken(near)).code, "ECONNRESET")
    assert.strictEqual((await receiptOf({ ...change, network: change.networkId })).closed!.connections, 2)
  }, 60_000)
})
