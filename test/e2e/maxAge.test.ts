/** Out of touch with the control plane for longer than GLOBALSTACKS_TOPOLOGY_MAX_AGE: nothing new is granted, also by an agent that restarts; what is open lives on. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { Finding } from "../../src/cli/Doctor.ts"
import type { Peer } from "../harness/Peer.ts"
import { eventually, Fixture } from "./fixture.ts"
import { heal, partition } from "./partition.ts"

const api = "api.dev.gstacks"

describe("topologies that are too old", () => {
  let fixture: Fixture
  let web: Peer
  let neighbour: Peer

  beforeAll(async () => {
    fixture = await Fixture.start(2, { GLOBALSTACKS_TOPOLOGY_MAX_AGE: "2 seconds" })
    web = await fixture.sandbox("web", "host-1")
    neighbour = await fixture.sandbox("neighbour", "host-2")
    const backend = await fixture.sandbox("backend", "host-2")
    await backend.listen(8080)
    await fixture.network("dev")
    for (const name of ["web", "neighbour"]) await fixture.attach("dev", name)
    await fixture.attach("dev", "backend", "api", [8080])
    await fixture.allow("dev", "any", "api", 8080)
    for (const peer of [web, neighbour]) await fixture.reachable(peer, api, 8080)
  }, 120_000)
  afterAll(() => fixture?.stop(), 60_000)

  const connectsAgain = (peer: Peer) => eventually("new streams connect", async () => (await peer.probe(api, 8080)).result === "open", 60_000)

  /** What an operator is told while one host is out of touch and the other is not. */
  const isSaid = async (old: string, fresh: string) => {
    const shown = async (host: string) => (await fixture.cluster.gstacks("agent", "show", host)).stdout
    // The control plane reckons from when it missed the host, which is later.
    await eventually("agent show says so", async () => /^Contact: +out of touch for .*, the limit is 2s: new connections are refused, open ones live on$/m.test(await shown(old)), 60_000)
    assert.match(await shown(fresh), /^Contact: +in touch/m)
    const list = await fixture.cluster.gstacks("agent", "list")
    assert.match(list.stdout, new RegExp(`^${old} +offline +\\S+Z +\\S+Z `, "m"), "seen last, and grants until")
    assert.match(list.stdout, new RegExp(`^${fresh} +online +\\S+Z +- `, "m"))
    const { code, stdout } = await fixture.cluster.gstacks("doctor", "--json")
    const found = new Map((JSON.parse(stdout).checks as ReadonlyArray<Finding>).map((finding) => [finding.check, finding]))
    assert.strictEqual(code, 1)
    assert.deepInclude(found.get(`agent ${old}`), { result: "fail", next: `on ${old}: systemctl status gstacks-agent` })
    assert.deepInclude(found.get(`${old}: age`), { result: "fail" })
    assert.match(found.get(`${old}: age`)!.detail, /out of touch for .*: new connections are refused, open ones live on/)
    assert.match(found.get(`${old}: age`)!.next!, /restore its way to .*GLOBALSTACKS_TOPOLOGY_MAX_AGE/)
    assert.deepStrictEqual([found.get(`agent ${fresh}`)?.result, found.get(`${fresh}: age`)?.result], ["ok", "ok"])
  }

  /** The stream across hosts is open already. `refused`: what a new one meets. */
  const whileCutOff = async (host: string, other: string, refused: ReadonlyArray<readonly [Peer, string]>, well: ReadonlyArray<Peer>) => {
    const exec = (...command: ReadonlyArray<string>) => fixture.cluster.exec(host, ...command)
    await web.open(host, api, 8080)
    await partition(exec)
    try {
      for (const [peer, how] of refused) await eventually(`new streams meet ${how}`, async () => (await peer.probe(api, 8080)).result === how, 60_000)
      for (const peer of well) assert.strictEqual((await peer.probe(api, 8080)).result, "open")
      await isSaid(host, other)
      for (const [peer, how] of refused) assert.strictEqual((await peer.probe(api, 8080)).result, how)
      await web.ping(host, "cut off\n")
    } finally {
      await heal(exec)
    }
    for (const peer of [web, neighbour]) await connectsAgain(peer)
    await web.ping(host, "back\n")
  }

  it("only the source's host is out of touch: its kernel refuses, and the target's host goes on", () =>
    whileCutOff("host-1", "host-2", [[web, "ECONNREFUSED"]], [neighbour]), 180_000)

  it("only the target's host is out of touch: it lets in nothing that the source still sends", () =>
    whileCutOff("host-2", "host-1", [[neighbour, "ECONNREFUSED"], [web, "ECONNRESET"]], []), 180_000)

  it("are refused at once, open streams live on, and all is well when the control plane is back", async () => {
    const peers = [[web, "across"], [neighbour, "same host"]] as const
    for (const [peer, stream] of peers) await peer.open(stream, api, 8080)
    fixture.cluster.freeze("control", "")
    try {
      for (const [peer] of peers) await eventually("new streams are refused", async () => (await peer.probe(api, 8080)).result === "ECONNREFUSED", 40_000)
      for (const [peer, stream] of peers) await peer.ping(stream, "frozen\n")

      const pid = fixture.cluster.pid("agent", "host-1")
      fixture.cluster.kill("agent", "host-1")
      await eventually("the agent is back", () => { const now = fixture.cluster.pid("agent", "host-1"); return now !== undefined && now !== pid }, 20_000)
      assert.strictEqual((await web.probe(api, 8080)).result, "ECONNREFUSED")
      assert.lengthOf((await web.lookup(api)).addresses ?? [], 1)
      for (const [peer, stream] of peers) await peer.ping(stream, "after the agent's restart\n")
    } finally {
      fixture.cluster.thaw("control", "")
    }
    for (const [peer, stream] of peers) {
      await connectsAgain(peer)
      await peer.ping(stream, "thawed\n")
    }
  }, 180_000)
})
