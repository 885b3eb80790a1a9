/** Faults of sandboxes, programs and rules, planted on a real cluster one after the other: where the diagnosis says the trouble is, and what to do. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Peer } from "../harness/Peer.ts"
import { Planted, type Way } from "../harness/Planted.ts"
import { eventually, Fixture } from "./fixture.ts"

const name = "api.dev.gstacks"
const closed = 8081, elsewhere = 8082, slow = 8083

describe("diagnosis of faults of sandboxes, programs and rules", () => {
  let fixture: Fixture, planted: Planted, web: Peer, backend: Peer

  beforeAll(async () => {
    fixture = await Fixture.start(2)
    planted = new Planted(fixture);
    [web, backend] = await Promise.all([fixture.sandbox("web", "host-1"), fixture.sandbox("backend", "host-2"), fixture.sandbox("spare", "host-2")])
    await backend.listen(8080)
    await fixture.network("dev")
    await fixture.attach("dev", "web")
    await fixture.attach("dev", "backend", "api", [8080, closed, elsewhere])
    await fixture.attach("dev", "spare", "old", [8080, slow])
    for (const [to, port] of [["api", 8080], ["api", closed], ["api", elsewhere], ["old", 8080], ["old", slow]] as const) await fixture.allow("dev", "sandbox:web", to, port)
    await fixture.reachable(web, name, 8080)
    await planted.well()
  }, 180_000)
  afterAll(() => fixture?.stop(), 60_000)

  it("a program that does not listen, one on another port, and one on another address", async () => {
    await planted.tells({ check: "route", at: "host-2", reason: /nothing accepts connections on port 8080 in sandbox spare/, next: /start the program, listening on 127\.0\.0\.1:8080/, evidence: /"listening":"nowhere"/, hop: ["app", "host-2"] }, ["sandbox:web", "old", 8080])
    await planted.tells({ check: "route", at: "host-2", reason: /nothing listens on port 8081 in sandbox backend, behind api:8081, but on 0\.0\.0\.0:8080/, next: /gstacks network alias add dev backend api --port 8080/ }, ["sandbox:web", "api", closed])
    await backend.listen(elsewhere, "echo", "127.0.0.2")
    await planted.tells({ check: "route", at: "host-2", reason: /listens on another address than 127\.0\.0\.1: 127\.0\.0\.2:8082/, next: /have it listen on 127\.0\.0\.1:8082/ }, ["sandbox:web", "api", elsewhere])
  }, 120_000)

  it("a rule that ended, one that was revoked, and one that never was", async () => {
    const way: Way = ["sandbox:spare", "api", 8080]
    const denied = { check: "policy", verdict: "denied", at: null, hop: ["source", "host-2"] } as const
    await planted.tells({ ...denied, reason: /^no rule lets sandbox:spare reach api\.dev\.gstacks:8080$/, next: /^gstacks network policy allow dev --from sandbox:spare --to api --port 8080$/ }, way)
    await fixture.change("POST", "/networks/dev/rules", { from: "sandbox:spare", to: "api", port: 8080, forSeconds: 1 })
    await planted.tells({ ...denied, reason: /^the rule that let sandbox:spare reach api\.dev\.gstacks:8080 ended at 2/, next: /^allow it again: gstacks network policy allow dev .* --for 2h$/, evidence: /rul_/ }, way)
    const { id } = await fixture.allow("dev", "sandbox:spare", "api", 8080)
    await fixture.revoke("dev", id)
    await planted.tells({ ...denied, reason: /^the rule that let sandbox:spare reach .* was revoked by admin at 2/, next: /^allow it again: gstacks network policy allow dev/ }, way)
  }, 120_000)

  it("an alias that was moved to a sandbox where nothing listens", async () => {
    await fixture.change("POST", "/networks/dev/aliases/api/move", { sandbox: "spare" })
    await planted.tells({ check: "route", at: "host-2", reason: /nothing accepts connections on port 8080 in sandbox spare, behind api:8080/, next: /gstacks sandbox logs spare/, hop: ["app", "host-2"] })
    await fixture.change("POST", "/networks/dev/aliases/api/move", { sandbox: "backend" })
    await planted.well()
  }, 120_000)

  it("a program that is slow to accept: connections wait, and then there is no room for more", async () => {
    const way: Way = ["sandbox:web", "old", slow], spare = fixture.peers.get("spare")!
    await spare.listen(slow, "stall", "0.0.0.0", 24)
    await planted.well(way)
    await spare.hang()
    let open = 0
    const more = async (until: () => Promise<boolean>) => eventually("so many wait", async () => {
      await web.open(`waiting-${++open}`, "old.dev.gstacks", slow)
      return until()
    }, 60_000)
    await more(async () => open === 14)
    await planted.tells({ check: "route", at: "host-2", outcome: "warn", reason: /\d+ connections wait for the program behind old:8083/, next: /gstacks sandbox logs spare/, evidence: /"waiting":"\d+"/, hop: null }, way)
    await more(async () => open === 40)
    await planted.tells({ check: "route", at: "host-2", reason: /program behind old:8083 does not accept connections in time/, next: /gstacks sandbox logs spare/, hop: ["app", "host-2"] }, way)
  }, 180_000)

  it("a sandbox whose resolv.conf is another's, and one that has the host's", async () => {
    const file = join(fixture.folder, "resolv.conf")
    writeFileSync(file, "nameserver 10.0.0.1\n")
    await fixture.api("POST", "/sandboxes", {
      name: "bound", agent: "host-1", labels: {}, replace: false,
      spec: { command: ["sleep", "1000"], env: {}, binds: [{ source: file, target: "/etc/resolv.conf", writable: false }] }
    })
    await fixture.attach("dev", "bound")
    await fixture.allow("dev", "sandbox:bound", "api", 8080)
    const dns = { check: "dns", at: "host-1", hop: ["name", "host-1"] } as const
    await planted.tells({ ...dns, reason: /resolv\.conf lies over it, which does not name 127\.64\.0\.53/, next: /without a --bind over \/etc\/resolv\.conf: gstacks sandbox run bound --replace/, evidence: /"nameservers":"10\.0\.0\.1"/ }, ["sandbox:bound", "api", 8080])

    const { code, stderr } = await fixture.cluster.exec("control", "sh", "-c", `for each in /proc/[0-9]*; do
      if tr '\\0' '\\n' 2>/dev/null <$each/environ | grep -qx GSTACKS_SANDBOX=web; then exec nsenter --target=\${each#/proc/} --mount --pid umount /etc/resolv.conf; fi
    done; exit 3`)
    assert.strictEqual(code, 0, stderr)
    await planted.tells({ ...dns, reason: /asks the host's name servers: it was started before this agent served its names/, next: /gstacks sandbox run web --replace/, evidence: /"mounted":"nothing/ })
    assert.isUndefined((await web.lookup(name)).addresses)
  }, 120_000)

  it("a sandbox that is stopped, at either end", async () => {
    await fixture.api("POST", "/sandboxes/bound/stop")
    await planted.tells({ check: "dns", at: "host-1", reason: /^sandbox bound is stopped$/, next: /gstacks sandbox show bound/ }, ["sandbox:bound", "api", 8080])
    await fixture.sandbox("web", "host-1")
    await fixture.attach("dev", "web")
    await fixture.allow("dev", "sandbox:web", "api", 8080)
    await fixture.api("POST", "/sandboxes/backend/stop")
    await planted.tells({ check: "route", at: "host-2", reason: /^sandbox backend is stopped$/, next: /gstacks sandbox show backend/ })
  }, 120_000)
})
