/** No outside traffic: a capture on every host while everything happens holds the bridge's addresses and nothing else. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { mkdtempSync, rmSync } from "node:fs"
import { Capture } from "../harness/capture.ts"
import { Fixture } from "./fixture.ts"

const hosts = ["host-1", "host-2"]

describe("silence", () => {
  const folder = mkdtempSync("/tmp/gs-seen-"), capture = new Capture(folder)
  let fixture: Fixture
  beforeAll(async () => { fixture = await Fixture.start(hosts.length, {}, { capture }) }, 120_000)
  afterAll(async () => {
    await fixture?.stop()
    rmSync(folder, { recursive: true, force: true })
  }, 60_000)

  it("joins, streams, name lookups and leaving touch no foreign address", async () => {
    const web = await fixture.sandbox("web", "host-1")
    const backend = await fixture.sandbox("backend", "host-2")
    await backend.listen(8080)
    await fixture.network("dev")
    await fixture.attach("dev", "web")
    await fixture.attach("dev", "backend", "api", [8080])
    const rule = await fixture.allow("dev", "sandbox:web", "api", 8080)
    await fixture.reachable(web, "api.dev.gstacks", 8080)
    for (const name of ["example.com", "nothing.gstacks", "controlplane.tailscale.com"]) assert.isDefined((await web.lookup(name)).code)
    await fixture.cluster.gstacks("network", "test", "dev", "sandbox:web", "api:8080")
    await fixture.revoke("dev", rule.id)
    fixture.cluster.kill("meshd", "host-1")
    fixture.cluster.kill("agent", "host-2")
    await fixture.allow("dev", "sandbox:web", "api", 8080)
    await fixture.reachable(web, "api.dev.gstacks", 8080)
    for (const name of ["web", "backend"]) await fixture.change("DELETE", `/networks/dev/attachments/${name}`)
    await fixture.change("DELETE", "/networks/dev")
    capture.assertSilence(hosts)
  }, 90_000)
})
