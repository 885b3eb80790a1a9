/** No outside traffic: a capture on every host while everything happens holds the bridge's addresses and nothing else. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { join } from "node:path"
import { Fixture } from "./fixture.ts"

const hosts = ["host-1", "host-2"]

describe("silence", () => {
  let fixture: Fixture
  beforeAll(async () => { fixture = await Fixture.start(2) }, 120_000)
  afterAll(() => fixture?.stop(), 60_000)

  it("joins, streams, name lookups and leaving touch no foreign address", async () => {
    const captures = hosts.map((host) => fixture.cluster.exec(host, "python3", join(import.meta.dirname, "../harness/capture.py"), "25"))
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
    for (const capture of await Promise.all(captures)) {
      const lines = capture.stdout.split("\n").filter((line) => /^(ip|arp|other) /.test(line))
      assert.isAbove(lines.length, 50, capture.stderr)
      const foreign = lines.filter((line) => {
        const addresses = line.match(/\b\d{1,3}(\.\d{1,3}){3}\b/g) ?? []
        return addresses.length !== 2 || addresses.some((a) => !a.startsWith("10.99.0."))
      })
      assert.deepStrictEqual(foreign, [])
    }
  }, 90_000)
})
