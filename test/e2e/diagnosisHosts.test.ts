/** Faults of hosts and of the mesh between them, planted on a real cluster one after the other: where the diagnosis says the trouble is, and what to do. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Planted, type Way } from "../harness/Planted.ts"
import { eventually, Fixture } from "./fixture.ts"

const root = join(import.meta.dirname, "../..")
const mesh = "udp sport 41650-41749"
const skewFile = `/tmp/gs-skew-${process.pid}`

describe("diagnosis of faults of hosts and mesh", () => {
  let fixture: Fixture, planted: Planted

  beforeAll(async () => {
    fixture = await Fixture.start(2, { NODE_OPTIONS: `--import ${join(root, "test/harness/clockSkew.mjs")}`, GS_TEST_SKEW: skewFile })
    planted = new Planted(fixture)
    const [web, backend] = await Promise.all([fixture.sandbox("web", "host-1"), fixture.sandbox("backend", "host-2")])
    await backend.listen(8080)
    await fixture.network("dev")
    await fixture.attach("dev", "web")
    await fixture.attach("dev", "backend", "api", [8080])
    await fixture.allow("dev", "sandbox:web", "api", 8080)
    await fixture.reachable(web, "api.dev.gstacks", 8080)
    await planted.well()
  }, 180_000)
  afterAll(async () => {
    rmSync(`${skewFile}.host-2`, { force: true })
    await fixture?.stop()
  }, 60_000)

  const headscale = (...args: ReadonlyArray<string>) =>
    fixture.cluster.exec("control", join(root, "dist/bin/headscale"), "-c", join(fixture.cluster.privatePaths[0]!, "control/headscale/config.yaml"), ...args)

  it("an agent that is down, at either end: its host, and how to see to it; streams go on", async () => {
    const agent = { check: "mesh", reason: /not connected|lost its connection/ } as const
    await planted.down("agent", "host-2", () => planted.tells({ ...agent, at: "host-2", next: /on host-2: systemctl status gstacks-agent/, hop: null }))
    await planted.well()
    await planted.down("agent", "host-1", () => planted.tells({ ...agent, at: "host-1", next: /on host-1: systemctl status gstacks-agent/, hop: ["source", "host-1"] }))
    await planted.well()
  }, 180_000)

  it("a meshd that is down, at either end", async () => {
    const meshd = { check: "mesh", reason: /meshd does not answer on this host/, next: /systemctl start gstacks-meshd/ } as const
    await planted.down("meshd", "host-2", () => planted.tells({ ...meshd, at: "host-2", hop: ["mesh", "host-2"] }))
    await planted.well()
    await planted.down("meshd", "host-1", () => planted.tells({ ...meshd, at: "host-1", hop: ["source", "host-1"] }))
    await planted.well()
  }, 180_000)

  it("an agent that hangs on an old version, beside a meshd that is well: open streams live on, new ones end at the target", async () => {
    const web = fixture.peers.get("web")!
    await web.open("old", "api.dev.gstacks", 8080)
    await planted.hanging("agent", "host-2", async () => {
      await fixture.api("POST", "/networks/dev/rules", { from: "label:team=late", to: "api", port: 8080 })
      await planted.tells({ check: "mesh", at: "host-2", reason: /did not answer in time|lost its connection|not connected/, next: /on host-2: systemctl status gstacks-agent/, hop: ["target", "host-2"] })
      await web.ping("old", "meshd is well\n")
    })
    await planted.well()
  }, 180_000)

  it("a meshd that hangs, and with it an agent that is stuck on an old version", async () => {
    await planted.hanging("meshd", "host-2", async () => {
      await fixture.api("POST", "/networks/dev/rules", { from: "any", to: "api", port: 8080 })
      const { checks, version } = await planted.tells({ check: "mesh", at: "host-2", reason: /meshd runs on this host, but does not answer/, next: /systemctl restart gstacks-meshd/ })
      const behind = checks.find(({ check, agent }) => check === "topology" && agent === "host-2")
      assert.strictEqual(behind?.outcome, "fail")
      assert.deepInclude(behind!.evidence, { wanted: `v${version}` })
    })
    await planted.well()
  }, 180_000)

  it("UDP that is blocked: through the relay, which is warned of", async () => {
    await planted.unheard("host-2", ["meta l4proto udp"], () => planted.tells({
      check: "route", at: "host-2", outcome: "warn", reason: /go through relay gs: no direct path is found/, next: /let UDP pass between the hosts/, evidence: /"path":"relay"/, hop: null
    }))
    await planted.well()
  }, 180_000)

  it("30 % loss", async () => {
    await planted.unheard("host-1", [`${mesh} numgen random mod 10 < 3`], () => planted.tells({
      check: "route", at: "host-2", outcome: "warn", reason: /\d+ of 20 packets to or from host-2 are lost/, next: /ping -c 100 10\.99\.0\.12/, evidence: /"pings":"\d+\/20"/
    }))
    await planted.well()
  }, 180_000)

  it("a path that swallows large packets, with the address to try", async () => {
    await planted.unheard("host-1", ["udp length > 1000"], () => planted.tells({
      check: "route", at: "host-1", reason: /MTU black hole/, next: /ping -M do -s 1400 10\.99\.0\.12/, hop: ["mesh", "host-1"]
    }))
    await planted.well()
  }, 180_000)

  it("a half-open mesh: a host that is shown, and hears nothing", async () => {
    await planted.unheard("host-2", ["meta l4proto udp", "tcp sport 8080"], () => planted.tells({
      check: "route", at: "host-2", reason: /mesh does not carry a stream to host-2/, next: /whether UDP passes between them/, evidence: /the peer does not answer/, hop: ["mesh", "host-2"]
    }))
    await planted.well()
  }, 180_000)

  it("a Headscale that hangs, and one that cannot start: joined hosts go on, another network's join is told why", async () => {
    await planted.hanging("headscale", "", () => planted.tells({ check: "mesh", at: null, outcome: "warn", reason: /\(Headscale\) does not answer: joined hosts go on/, next: /restart it if it hangs/ }))
    await planted.well()
    const late: Way = ["sandbox:web", "api", 8080, "late"]
    fixture.cluster.freeze("control", "")
    await planted.taken("control", "tcp", "10.99.0.1", 8080, () => {
      fixture.cluster.kill("headscale", "")
    }, async () => {
      fixture.cluster.thaw("control", "")
      await planted.tells({ check: "mesh", at: null, outcome: "warn", reason: /\(Headscale\) is down/, next: /gstacks debug actor control:control\/mesh\/managedHeadscale/ })
      await fixture.network("late")
      await fixture.attach("late", "web")
      await fixture.attach("late", "backend", "api", [8080])
      await fixture.allow("late", "sandbox:web", "api", 8080)
      const { trouble } = await planted.tells({ check: "mesh", reason: /joining the mesh failed: the mesh coordinator \(Headscale\) is down/, next: /managedHeadscale/, hop: ["mesh", "host-2"] }, late)
      assert.match(trouble!.evidence!["join"]!, /failed|requestingKey/)
    }).finally(() => fixture.cluster.thaw("control", ""))
    await planted.well(late)
  }, 240_000)

  const nodeId = async (name: string): Promise<number | undefined> => {
    const { stdout } = await headscale("nodes", "list", "--output", "json")
    return (JSON.parse(stdout) as ReadonlyArray<{ readonly id: number; readonly given_name: string }>).find((node) => node.given_name === name)?.id
  }

  /** Every key that is made meanwhile is one that the coordinator refuses. */
  const withoutKeys = async (look: () => Promise<unknown>): Promise<void> => {
    const database = new DatabaseSync(join(fixture.cluster.privatePaths[0]!, "control/headscale/db.sqlite"))
    database.exec("create trigger planted after insert on pre_auth_keys begin update pre_auth_keys set expiration = '2000-01-01 00:00:00+00:00' where id = new.id; end")
    try {
      await look()
    } finally {
      database.exec("drop trigger planted")
      database.close()
    }
  }
  const refused = { check: "mesh", at: "host-2", reason: /coordinator refused this host's key/, next: /Headscale's log, and GLOBALSTACKS_MESH_AUTH_KEY/, hop: ["mesh", "host-2"] } as const

  it("a node that expired, and a key that is refused", async () => {
    const expire = async () => headscale("nodes", "expire", "-i", String(await nodeId("host-2-dev")), "--force")
    await planted.tells({ check: "mesh", at: "host-2", reason: /node has expired or was deleted|may have expired/, next: /joins again/ }, undefined, expire)
    await planted.well()
    await withoutKeys(async () => { // so that it stays expired, and the trace ends there
      await expire()
      await planted.tells({ ...refused, reason: /node has expired or was deleted|may have expired|refused this host's key/, next: /joins again|Headscale's log/ })
    })
    await planted.well()
    await fixture.network("keyless")
    await fixture.attach("keyless", "web")
    await eventually("host-1 has joined before keys are refused", async () => await nodeId("host-1-keyless") !== undefined, 60_000)
    await withoutKeys(async () => {
      await fixture.attach("keyless", "backend", "api", [8080])
      await fixture.allow("keyless", "sandbox:web", "api", 8080)
      await planted.tells(refused, ["sandbox:web", "api", 8080, "keyless"])
    })
  }, 240_000)

  it("a DNS port that another program has", async () => {
    fixture.cluster.freeze("world", "")
    await planted.taken("host-1", "udp", "127.0.0.1", 1053, () => fixture.cluster.kill("agent", "host-1"), async () => {
      fixture.cluster.thaw("world", "")
      await planted.tells({ check: "dns", at: "host-1", outcome: "warn", reason: /EADDRINUSE/, next: /ss -lntup 'sport = :1053'.*GLOBALSTACKS_AGENT_MESH_DNS_ADDR/, hop: null })
    }).finally(() => fixture.cluster.thaw("world", ""))
    await planted.well()
  }, 180_000)

  it("a disk that is full", async () => {
    await planted.smallDisk("host-2", (fill) => planted.tells({
      check: "topology", at: "host-2", outcome: "warn", reason: /disk of host-2 is full/, next: /df -h/, evidence: /ENOSPC/
    }, undefined, async () => {
      const { body } = await fixture.api("POST", "/networks/dev/rules", { from: "local", to: "api", port: 8080, comment: "x".repeat(200) })
      fill()
      await fixture.api("DELETE", `/networks/dev/rules/${body.value.id}`)
      fill()
    }))
    await planted.well()
  }, 180_000)

  it("a file-descriptor limit that is reached, at either end", async () => {
    const spent = { check: "mesh", reason: /meshd on this host has no descriptors left/, next: /raise LimitNOFILE of gstacks-meshd/, evidence: /"limit"/ } as const
    for (const host of ["host-2", "host-1"]) {
      await planted.withoutDescriptors(host, () => planted.tells({ ...spent, at: host }))
      await planted.well()
    }
  }, 180_000)

  it("a clock that is wrong: warned of, and named where a rule ends by it", async () => {
    writeFileSync(`${skewFile}.host-2`, "3600000")
    const clock = { check: "policy", at: "host-2", next: /timedatectl/, evidence: /"skewMs":"3[56]\d{5}"/ } as const
    await planted.tells({ ...clock, outcome: "warn", reason: /the clock of host-2 is 3\d{3} s ahead of the control plane's/ })
    const rule = (await fixture.api("GET", "/networks/dev")).body.rules.find(({ from }: { from: string }) => from === "sandbox:web")
    await fixture.api("DELETE", `/networks/dev/rules/${rule.id}`)
    await fixture.api("POST", "/networks/dev/rules", { from: "any", to: "api", port: 8080, forSeconds: 600 })
    await planted.tells({ ...clock, reason: /^the rule that let sandbox:web reach api\.dev\.gstacks:8080 ended at .*, it says, but the clock of host-2 is 3\d{3} s ahead/ })
    rmSync(`${skewFile}.host-2`)
    await planted.well()
  }, 180_000)

  it("a control plane that is away: said with what to do, and within a bound", async () => {
    const line = ["network", "test", "dev", "sandbox:web", "api:8080"]
    await planted.down("control", "", async () => {
      const { code, stderr } = await fixture.cluster.gstacks(...line)
      assert.strictEqual(code, 1)
      assert.match(stderr, /control plane at \S+ cannot be reached/)
      assert.match(stderr, /next: .*gstacks control.*gstacks doctor/)
    })
    await eventually("it is back", async () => (await fixture.cluster.gstacks(...line)).code === 0, 60_000)
  }, 180_000)
})
