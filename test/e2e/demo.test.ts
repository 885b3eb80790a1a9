/** `npm run demo`, as a newcomer runs it: it goes as told, and whichever of its processes is killed, nothing of it is left. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { named } from "../../src/dev/Cluster.ts"
import { Capture } from "../harness/capture.ts"
import { environment } from "../harness/cluster.ts"
import { eventually } from "./fixture.ts"

const folder = mkdtempSync("/tmp/gs-")
const env = environment(folder)
const cluster = named("demo", env)

const started: Array<ChildProcess> = []

/** npm, so that what the demo runs under is what a user has. */
const demo = (args: ReadonlyArray<string> = [], environment = env) => {
  const npm = spawn("npm", ["run", "--silent", "demo", "--", ...args], { cwd: join(import.meta.dirname, "../.."), env: environment, stdio: ["ignore", "pipe", "pipe"], detached: true })
  started.push(npm)
  let said = ""
  for (const stream of [npm.stdout, npm.stderr]) stream.setEncoding("utf8").on("data", (chunk: string) => { said += chunk })
  return { npm, said: () => said }
}

const read = (pid: number | string, file: string) => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8")
  } catch {
    return "" // it has just ended
  }
}
const processes = (pattern: RegExp) => readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && pattern.test(read(pid, "cmdline").replaceAll("\0", " "))).map(Number)

/** Every process of a cluster has its runtime folder's or its state folder's name in its command line, or lives in the world that ends with those. */
const nothingLeft = () => processes(new RegExp(`${cluster.runtimeDir}|${cluster.stateDir}`)).length === 0 && !existsSync(cluster.runtimeDir)

const whenUp = async ({ npm, said }: { readonly npm: ChildProcess; readonly said: () => string }) => {
  await eventually("the demo stays up", () => /stays up until Ctrl-C/.test(said()) || npm.exitCode !== null, 90_000)
  assert.isNull(npm.exitCode, said())
}

const childOf = (pid: number) => processes(/dist\/demo\.mjs/).find((candidate) => {
  for (let at = candidate; at > 1;) {
    if (at === pid) return true
    at = Number(/^PPid:\s*(\d+)$/m.exec(read(at, "status"))?.[1] ?? 0)
  }
  return false
})

describe("npm run demo", () => {
  afterAll(() => {
    for (const { exitCode, pid, signalCode } of started) if (exitCode === null && signalCode === null) process.kill(-pid!, "SIGKILL") // of a test that failed
    rmSync(folder, { recursive: true, force: true })
  })

  it("--once tells the whole story, exits with 0 and leaves nothing; no packet of it has an address that is not the bridge's", async () => {
    const capture = new Capture(folder)
    const { npm, said } = demo(["--once"], capture.environment(env))
    const [code] = await once(npm, "close")
    assert.strictEqual(code, 0, said())
    for (const part of [/network dev created/, /Couldn't connect to server[\s\S]*200 OK[\s\S]*verdict: reachable[\s\S]*revoked[\s\S]*Couldn't connect to server/, /The story went as told/]) assert.match(said(), part)
    assert.isTrue(nothingLeft())
    capture.assertSilence(["host-1", "host-2"])
  }, 180_000)

  for (const [who, kill] of [
    ["Ctrl-C", (npm: number) => process.kill(-npm, "SIGINT")],
    ["kill -9 of npm", (npm: number) => process.kill(npm, "SIGKILL")],
    ["kill -9 of the demo", (npm: number) => process.kill(childOf(npm)!, "SIGKILL")]
  ] as const) {
    it(`${who} leaves nothing`, async () => {
      const running = demo()
      await whenUp(running)
      kill(running.npm.pid!)
      await eventually("everything has ended", nothingLeft, 15_000)
      await eventually("the demo has ended", () => processes(/dist\/demo\.mjs/).every((pid) => !read(pid, "environ").includes(folder)), 5_000)
    }, 180_000)
  }
})
