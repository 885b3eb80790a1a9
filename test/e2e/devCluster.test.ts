/** The disposable cluster itself: what `gstacks dev` promises about processes, namespaces and the user's machine. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { named } from "../../src/dev/Cluster.ts"
import { inNamespace, startTimeOf } from "../../src/dev/processes.ts"
import * as worldFile from "../../src/dev/worldFile.ts"
import { type Cluster, environment, run, startCluster } from "../harness/cluster.ts"
import { eventually } from "./fixture.ts"

interface Row { readonly role: string; readonly host: string | null; readonly pid: number; readonly restarts: number; readonly lastExit: string | null }

describe("a running cluster", () => {
  let cluster: Cluster
  beforeAll(async () => { cluster = await startCluster({ hosts: 2 }) }, 120_000)
  afterAll(() => cluster?.stop(), 60_000)

  const rows = async (): Promise<ReadonlyArray<Row>> => JSON.parse((await cluster.gstacks("dev", "status", "--json")).stdout).processes

  it("lists every process, each alive under the pid that it tells", async () => {
    const listed = (await rows()).map(({ host, role }) => `${role} ${host ?? "-"}`).sort()
    assert.deepStrictEqual(listed, ["agent host-1", "agent host-2", "control -", "headscale -", "meshd host-1", "meshd host-2", "starter -", "world -"])
    for (const { pid } of await rows()) assert.isNotNull(startTimeOf(pid))
  })

  it("refuses a second start and says where the first is", async () => {
    const second = await cluster.gstacks("dev", "up")
    assert.strictEqual(second.code, 1)
    assert.include(second.stderr, `cluster dev is already running at ${cluster.url}`)
  })

  it("hosts have one cable, IPv4 only, and no route out", async () => {
    const { stdout } = await cluster.exec("host-1", "ip", "-brief", "address")
    assert.match(stdout, /eth0@\S+\s+UP\s+10\.99\.0\.11\/24/)
    assert.notInclude(stdout, "::")
    assert.strictEqual((await cluster.exec("host-1", "ip", "-o", "route")).stdout.trim().split("\n").length, 1)
    assert.strictEqual((await cluster.exec("host-1", "ip", "-o", "route", "show", "default")).stdout, "")
    assert.strictEqual((await cluster.exec("control", "ip", "-o", "route", "show", "default")).stdout, "")
  })

  it("exec passes exit codes, runs where the caller is, and exits 125 for its own failures", async () => {
    assert.strictEqual((await cluster.exec("host-2", "sh", "-c", "exit 42")).code, 42)
    assert.strictEqual((await cluster.exec("host-2", "sh", "-c", "kill -9 $$")).code, 137)
    assert.strictEqual((await cluster.exec("host-2", "pwd")).stdout.trim(), process.cwd())
    const nowhere = await cluster.exec("host-9", "true")
    assert.strictEqual(nowhere.code, 125)
    assert.match(nowhere.stderr, /has no host host-9; it has control, host-1, host-2/)
  })

  for (const [role, host] of [["agent", "host-1"], ["meshd", "host-2"], ["control", ""]] as const) {
    it(`${role} lives again after kill -9, and its restart is told`, async () => {
      const before = cluster.pid(role, host)
      cluster.kill(role, host)
      await eventually(`a new ${role}`, () => cluster.pid(role, host) !== undefined && cluster.pid(role, host) !== before, 5_000)
      const row = (await rows()).find((row) => row.role === role && (row.host ?? "") === host)
      assert.deepStrictEqual([row?.restarts, row?.lastExit], [1, "signal SIGKILL"])
    })
  }

  it("collects orphans, as an init does", async () => {
    await cluster.exec("host-1", "sh", "-c", "(true &)")
    const world = worldFile.read(named("dev", cluster.env))
    const isZombie = ({ pid }: { readonly pid: number }): boolean => {
      try {
        return /^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))
      } catch {
        return false // it has ended since it was listed
      }
    }
    await eventually("no process of the world is left uncollected", () => !worldFile.processes(world).some(isZombie))
  })
})

describe("how a cluster ends", () => {
  const folder = mkdtempSync("/tmp/gs-")
  const env = environment(folder)
  const cluster = named("dev", env)
  const gstacks = (...args: ReadonlyArray<string>) => run(env, args)
  const up = async () => {
    const started = await gstacks("dev", "up", "--detach")
    assert.strictEqual(started.code, 0, started.stderr)
    const world = worldFile.read(cluster)
    assert.isNotNull(world)
    const status = JSON.parse((await gstacks("dev", "status", "--json")).stdout)
    const starter = (status.processes as ReadonlyArray<Row>).find(({ role }) => role === "starter")!.pid
    return { starter, world, url: status.url as string, nothingLeft: () => inNamespace(world!.pidNamespace).length === 0 && !existsSync(cluster.runtimeDir) }
  }
  afterAll(async () => {
    await gstacks("dev", "down", "--purge")
    rmSync(folder, { recursive: true, force: true })
  }, 60_000)

  it("down leaves no process and no socket, gives the context back, and keeps what was stored", async () => {
    const first = await up()
    assert.strictEqual((await gstacks("network", "create", "kept")).code, 0)
    assert.strictEqual((await gstacks("dev", "down")).code, 0)
    assert.isTrue(first.nothingLeft())
    assert.deepStrictEqual(JSON.parse(readFileSync(join(folder, "config/gstacks/config.json"), "utf8")), { contexts: {} })

    const second = await up()
    assert.strictEqual(second.url, first.url)
    assert.match((await gstacks("network", "list")).stdout, /kept/)
    assert.strictEqual((await gstacks("dev", "down", "--purge")).code, 0)
    assert.isFalse(existsSync(cluster.stateDir))
  }, 120_000)

  it("kill -9 of its starter ends everything, and the next start works at once", async () => {
    const first = await up()
    // By pid and start time: the number of its namespace may be the next one's.
    const living = worldFile.processes(first.world).map(({ pid }) => ({ pid, startTime: startTimeOf(pid) }))
    assert.isAbove(living.length, 5)
    process.kill(first.starter, "SIGKILL")
    const second = await up()
    assert.deepStrictEqual(living.filter(({ pid, startTime }) => startTimeOf(pid) === startTime), [])
    process.kill(second.starter, "SIGKILL")
    await eventually("nothing is left", second.nothingLeft, 15_000)
  }, 120_000)

  it("down of a cluster that does not run is no error", async () => {
    const { code, stdout } = await gstacks("dev", "down")
    assert.deepStrictEqual([code, stdout], [0, "cluster dev was not running\n"])
  })
})
