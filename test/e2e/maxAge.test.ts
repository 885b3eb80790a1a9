/** Out of touch with the control plane for longer than GLOBALSTACKS_TOPOLOGY_MAX_AGE: nothing new is granted, also by an agent that restarts; what is open lives on. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { Peer } from "../harness/Peer.ts"
import { eventually, Fixture } from "./fixture.ts"

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
      await eventually("new streams connect", async () => (await peer.probe(api, 8080)).result === "open", 60_000)
      await peer.ping(stream, "thawed\n")
    }
  }, 180_000)
})
