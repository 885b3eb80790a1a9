/** A control plane that was told a wrong APP_HOST: no host finds the mesh's coordinator, and the diagnosis says where it was looked for. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Planted } from "../harness/Planted.ts"
import { Fixture } from "./fixture.ts"

describe("diagnosis of a wrong APP_HOST", () => {
  let fixture: Fixture

  beforeAll(async () => {
    // In managed mode the URL is made of APP_HOST unless this is set: what it is made of in a cluster is fixed.
    fixture = await Fixture.start(2, { GLOBALSTACKS_MESH_CONTROL_URL: "http://10.99.0.99:8080" })
    await Promise.all([fixture.sandbox("web", "host-1"), fixture.sandbox("backend", "host-2"), fixture.sandbox("near", "host-1")])
    await fixture.network("dev")
    await fixture.attach("dev", "web")
    await fixture.attach("dev", "backend", "api", [8080])
    await fixture.attach("dev", "near", "near", [8080])
    for (const to of ["api", "near"]) await fixture.allow("dev", "sandbox:web", to, 8080)
  }, 180_000)
  afterAll(() => fixture?.stop(), 60_000)

  it("each host tells it, with the URL to try, while it still tries to join; on one host it is only warned of", async () => {
    const planted = new Planted(fixture)
    const told = { check: "mesh", reason: /coordinator does not answer this host: http:\/\/10\.99\.0\.99:8080/, next: /APP_HOST.*curl http:\/\/10\.99\.0\.99:8080\/health/, evidence: /"controlUrl":"http:\/\/10\.99\.0\.99:8080"/ } as const
    const { checks } = await planted.tells({ ...told, hop: ["mesh", "host-2"] })
    assert.deepStrictEqual(checks.filter(({ check, reason }) => check === "mesh" && told.reason.test(reason)).length, 2, JSON.stringify(checks))
    await fixture.peers.get("near")!.listen(8080)
    await planted.tells({ ...told, at: "host-1", outcome: "warn", hop: null }, ["sandbox:web", "near", 8080])
  }, 120_000)
})
