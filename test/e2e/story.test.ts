/** The README's story and the words of product.md, typed as a user types them. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { type Cluster, startCluster } from "../harness/cluster.ts"
import { eventually } from "./fixture.ts"

describe("the story, through the CLI", () => {
  let cluster: Cluster
  beforeAll(async () => { cluster = await startCluster({ hosts: 2 }) }, 120_000)
  afterAll(() => cluster?.stop(), 60_000)

  const run = async (line: string, code = 0) => {
    const result = await cluster.gstacks(...line.split(" "))
    assert.strictEqual(result.code, code, `gstacks ${line}\n${result.stdout}\n${result.stderr}`)
    return result
  }
  const json = async (line: string, code = 0) => JSON.parse((await run(`${line} --json`, code)).stdout)
  const get = async () => (await cluster.gstacks("sandbox", "exec", "web", "--", "curl", "-sS", "-m", "3", "-o", "/dev/null", "-w", "%{http_code}", "http://api.dev.gstacks:8080/"))

  it("create, run, attach, refused, allow, answers, resolve, test, revoke, refused", async () => {
    await run("network create dev")
    await run("sandbox run web --agent host-1 -- sleep infinity")
    await run("sandbox run backend --agent host-2 --label tier=back -- python3 -m http.server 8080")
    await run("network attach dev web")
    const attached = await run("network attach dev backend --alias api --port 8080")
    assert.match(attached.stderr, /topology v\d+ applied by 2\/2 agents in \d+ ms/)

    const refused = await get()
    assert.strictEqual(refused.code, 7, "curl says connection refused")

    const rule = await json("network policy allow dev --from sandbox:web --to api --port 8080")
    assert.strictEqual(rule.receipt.pending.length, 0)
    await eventually("the first answer", async () => (await get()).stdout === "200", 20_000)

    const resolved = await json("network resolve dev api")
    assert.match(resolved.address, /^127\./)
    assert.deepStrictEqual([resolved.sandbox, resolved.agent], ["backend", "host-2"])

    const test = await json("network test dev sandbox:web api:8080")
    assert.strictEqual(test.verdict, "reachable")
    assert.deepStrictEqual([...new Set(test.checks.map((c: { check: string }) => c.check))].sort(), ["dns", "mesh", "policy", "route", "topology"])
    assert.isTrue(test.checks.every((c: { outcome: string }) => ["pass", "warn"].includes(c.outcome)), JSON.stringify(test.checks))

    await run(`network policy revoke dev ${rule.value.id}`)
    assert.strictEqual((await get()).code, 7)
    assert.strictEqual((await json("network test dev sandbox:web api:8080", 5)).verdict, "denied")
    const local = await json("network test dev local api:8080", 5)
    assert.isTrue(local.checks.some((c: { outcome: string }) => c.outcome === "skip"))
  }, 120_000)

  it("labels let sandboxes come and go", async () => {
    const rule = await json("network policy allow dev --from label:role=worker --to api --port 8080")
    for (const name of ["one", "two"]) {
      await run(`sandbox run ${name} --agent host-1 --label role=worker -- sleep infinity`)
      await run(`network attach dev ${name}`)
      const answer = await cluster.gstacks("sandbox", "exec", name, "--", "curl", "-sS", "-m", "3", "-o", "/dev/null", "http://api.dev.gstacks:8080/")
      assert.strictEqual(answer.code, 0, answer.stderr)
      await run(`sandbox remove ${name} --yes`)
    }
    await run(`network policy revoke dev ${rule.value.id}`)
  }, 60_000)

  it("exec passes standard input, output and exit code; 125 for its own failures", async () => {
    assert.strictEqual((await cluster.gstacks("sandbox", "exec", "web", "--", "sh", "-c", "echo out; echo err >&2; exit 42")).code, 42)
    assert.strictEqual((await cluster.gstacks("sandbox", "exec", "web", "--", "sh", "-c", "echo out; echo err >&2")).stdout, "out\n")
    assert.strictEqual((await cluster.gstacks("sandbox", "exec", "nobody", "--", "true")).code, 125)
  })

  it("lists every process with role, host and pid as seen from here", async () => {
    const status = await json("dev status")
    const roles = (status.processes as ReadonlyArray<{ role: string; pid: number }>).map((p) => p.role).sort()
    assert.deepStrictEqual(roles.filter((r) => ["agent", "control", "headscale", "meshd"].includes(r)), ["agent", "agent", "control", "headscale", "meshd", "meshd"])
    for (const p of status.processes) assert.doesNotThrow(() => process.kill(p.pid, 0))
  })

  it("dig agrees: A, NODATA, NXDOMAIN, ANY, EDNS, TCP, 0x20", async () => {
    const dig = async (...args: ReadonlyArray<string>) => (await cluster.gstacks("sandbox", "exec", "web", "--", "dig", "+tries=1", "+time=2", ...args)).stdout
    assert.match(await dig("+short", "api.dev.gstacks"), /^127\.\d+\.\d+\.\d+\n$/)
    assert.match(await dig("aPi.DEV.gstacks"), /^;aPi\.DEV\.gstacks\.\s+IN\s+A[\s\S]*^api\.dev\.gstacks\.\s+5\s+IN\s+A/m)
    assert.match(await dig("+tcp", "api.dev.gstacks"), /status: NOERROR/)
    assert.match(await dig("AAAA", "api.dev.gstacks"), /status: NOERROR[\s\S]*ANSWER: 0[\s\S]*SOA/)
    assert.match(await dig("nope.dev.gstacks"), /status: NXDOMAIN[\s\S]*SOA/)
    assert.match(await dig("ANY", "api.dev.gstacks"), /HINFO/)
    assert.match(await dig("+edns=1", "+noednsneg", "api.dev.gstacks"), /status: BADVERS/)
    assert.match(await dig("example.com"), /status: REFUSED/)
    const address = (await dig("+short", "api.dev.gstacks")).trim()
    assert.strictEqual((await dig("+short", "-x", address)).trim(), "api.dev.gstacks.")
    const host = await cluster.exec("host-1", "dig", "+short", "-p", "1053", "@127.0.0.1", "api.dev.gstacks")
    assert.strictEqual(host.stdout.trim(), address)
  }, 60_000)

  it.each([
    ["network create UPPER", 2], ["network create dev", 1], ["network create far --mode routed_mesh", 2], ["network show nowhere", 3], ["network attach dev ghost", 3],
    ["network attach dev web --port 80", 2], ["network attach dev web --alias local --port 80", 2], ["network attach dev web --alias x --port 0", 2],
    ["network attach dev web --alias x --port 65536", 2], ["network attach dev web --alias api --port 80", 1], ["network alias add dev web bad_name --port 80", 2],
    ["network policy allow dev --from sandbox:web --to api --port 9999", 3], ["network policy allow dev --from sandbox:ghost --to api --port 8080", 3],
    ["network policy allow dev --from what:ever --to api --port 8080", 2], ["network policy revoke dev rul_000000000000000000", 3], ["network delete dev", 2],
    ["network detach dev web", 2], ["sandbox run web --agent host-1 -- true", 1], ["sandbox run x --agent host-9 -- true", 3], ["network frobnicate", 2], ["network resolve dev nope", 3],
    ["control --listen 127.0.0.1:1", 2], ["agent run here", 2]
  ] as const)("bad input: %s exits %i, says what and what to do, and changes nothing", async (line, code) => {
    const before = (await json("network show dev")).network.version
    const result = await run(line, code)
    assert.match(result.stderr, /\S/)
    assert.notMatch(result.stderr, /at .*\.mjs:\d+|\bundefined\b|\[object/)
    assert.strictEqual((await json("network show dev")).network.version, before)
  }, 30_000)
})
