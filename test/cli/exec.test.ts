/** What goes over the agent's Unix socket: exec with real programs, logs --follow, doctor. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { createHash, randomBytes } from "node:crypto"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Finding } from "../../src/cli/Doctor.ts"
import type { ShownSetting } from "../../src/cli/settings.ts"
import { FakeLocalAgent, serveFakeLocalAgent } from "../harness/fakeLocalAgent.ts"
import { fakeAgent } from "../harness/fakeControl.ts"
import { gstacks, temporaryFolder } from "./gstacks.ts"
import { makeWorld } from "./world.ts"

const sha = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

/** Sandbox web is on host-1, whose socket is in the context; backend on host-2, whose socket is not here. */
const prepared = Effect.gen(function*() {
  const world = yield* makeWorld
  const folder = yield* temporaryFolder
  const socket = join(folder, "agent.sock")
  const agent = new FakeLocalAgent("host-1")
  agent.sandboxes.add("web").add(world.fake.sandboxes[0]!.id)
  yield* serveFakeLocalAgent(agent, socket)
  mkdirSync(join(folder, "gstacks"))
  const config = { current: "dev", contexts: { dev: { url: world.url, token: world.fake.token, agentSockets: { "host-1": socket } } } }
  writeFileSync(join(folder, "gstacks/config.json"), JSON.stringify(config), { mode: 0o600 })
  const env = { XDG_CONFIG_HOME: folder }
  const cli: typeof gstacks = (line, options) => gstacks(line, { ...options, env: { ...env, ...options?.env } })
  return { ...world, agent, cli, env, folder, socket }
})

describe("agent metrics", () => {
  it.live("are those of the agent on this machine, also while the control plane is away", () =>
    Effect.gen(function*() {
      const { cli, folder, socket } = yield* prepared
      writeFileSync(join(folder, "gstacks/config.json"), JSON.stringify({ current: "dev", contexts: { dev: { url: "http://127.0.0.1:1", token: "t", agentSockets: { "host-1": socket } } } }), { mode: 0o600 })
      for (const words of ["agent metrics", "agent metrics host-1"]) {
        const { code, stderr, stdout } = yield* cli(words)
        assert.deepStrictEqual([code, stdout, stderr], [0, "# EOF\n", ""], words)
      }
      assert.match((yield* cli("agent metrics host-7")).stderr, /next: /)
    }).pipe(Effect.scoped))
})

describe("sandbox exec", () => {
  it.live("passes both outputs and the exit code", () =>
    Effect.gen(function*() {
      const { cli } = yield* prepared
      const ended = yield* cli(["sandbox", "exec", "web", "--", "sh", "-c", "echo out; echo err >&2; exit 42"])
      assert.deepStrictEqual([ended.code, ended.stdout, ended.stderr], [42, "out\n", "err\n"])
    }).pipe(Effect.scoped))

  it.live("passes standard input, any bytes, and its end", () =>
    Effect.gen(function*() {
      const { cli } = yield* prepared
      const stdin = randomBytes(3 * 1024 * 1024)
      const ended = yield* cli("sandbox exec web -- cat", { stdin })
      assert.deepStrictEqual([ended.code, sha(ended.bytes)], [0, sha(stdin)])
    }).pipe(Effect.scoped), 30_000)

  it.live("a program that does not read its input ends all the same", () =>
    Effect.gen(function*() {
      const { cli } = yield* prepared
      assert.strictEqual((yield* cli("sandbox exec web -- true", { stdin: randomBytes(1024 * 1024) })).code, 0)
      assert.strictEqual((yield* cli("sandbox exec web --no-stdin -- cat", { stdin: "not read" })).stdout, "")
    }).pipe(Effect.scoped))

  it.live("passes flags, quotes, empty words and a second -- untouched, and --env", () =>
    Effect.gen(function*() {
      const { cli } = yield* prepared
      const ended = yield* cli(["sandbox", "exec", "web", "--env", "A=b c", "--", "sh", "-c", "printf '%s|' \"$A\" \"$@\"", "x", "--json", "-o", "", "--", "--help", "é"])
      assert.strictEqual(ended.stdout, "b c|--json|-o||--|--help|é|")
    }).pipe(Effect.scoped))

  it.live("forwards signals to the program and passes what it made of them", () =>
    Effect.gen(function*() {
      const { cli } = yield* prepared
      assert.strictEqual((yield* cli("sandbox exec web -- sleep 60", { onListening: (send) => send("SIGINT") })).code, 130)
      assert.strictEqual((yield* cli("sandbox exec web -- sleep 60", { onListening: (send) => send("SIGTERM") })).code, 143)
    }).pipe(Effect.scoped))

  it.live("its own failures are 125: unknown sandbox, agent elsewhere, agent away", () =>
    Effect.gen(function*() {
      const { cli, fake, folder } = yield* prepared
      assert.strictEqual((yield* cli("sandbox exec ghost -- true")).code, 125)
      const elsewhere = yield* cli("sandbox exec backend -- true")
      assert.strictEqual(elsewhere.code, 125)
      assert.include(elsewhere.stderr, "error: sandbox backend runs on host-2, and the socket of that agent is not on this machine\nnext: run the command on host-2\n")
      fake.agents[1] = yield* fakeAgent("host-2", join(folder, "agent.sock"))
      assert.strictEqual((yield* cli("sandbox exec backend -- true")).code, 125, "another agent at that path is not asked")
      writeFileSync(join(folder, "gstacks/config.json"), "broken")
      assert.strictEqual((yield* cli("sandbox exec web -- true")).code, 125)
    }).pipe(Effect.scoped))

  it.live("says when nobody listens at the socket", () =>
    Effect.gen(function*() {
      const { cli, fake, folder, url } = yield* prepared
      writeFileSync(join(folder, "gstacks/config.json"), JSON.stringify({ current: "dev", contexts: { dev: { url, token: fake.token, agentSockets: { "host-1": join(folder, "gone.sock") } } } }))
      const ended = yield* cli("sandbox exec web -- true")
      assert.strictEqual(ended.code, 125)
      assert.match(ended.stderr, /^error: the agent at .*gone\.sock does not answer: the socket is not there\nnext: /)
    }).pipe(Effect.scoped))

  it.live("finds the agent by the path it reported, without any context", () =>
    Effect.gen(function*() {
      const { fake, socket, url } = yield* prepared
      fake.agents[0] = yield* fakeAgent("host-1", socket)
      const ended = yield* gstacks("sandbox exec web -- echo hi", { env: { GSTACKS_URL: url, GSTACKS_TOKEN: fake.token } })
      assert.deepStrictEqual([ended.code, ended.stdout], [0, "hi\n"], ended.stderr)
    }).pipe(Effect.scoped))

  it.live("works by name while the control plane is away", () =>
    Effect.gen(function*() {
      const { cli, folder, socket } = yield* prepared
      writeFileSync(join(folder, "gstacks/config.json"), JSON.stringify({ current: "dev", contexts: { dev: { url: "http://127.0.0.1:1", token: "t", agentSockets: { "host-1": socket } } } }))
      assert.strictEqual((yield* cli("sandbox exec web -- echo hi")).stdout, "hi\n")
    }).pipe(Effect.scoped))
})

describe("logs --follow and doctor", () => {
  it.live("logs --follow streams from the agent", () =>
    Effect.gen(function*() {
      const { cli } = yield* prepared
      const ended = yield* cli("sandbox logs web --follow")
      assert.deepStrictEqual([ended.code, ended.stdout], [0, "one\ntwo\n"])
    }).pipe(Effect.scoped))

  it.live("doctor: all well is 0, an agent that is offline or has no link is 1 with what to do", () =>
    Effect.gen(function*() {
      const { agent, cli, fake } = yield* prepared
      const well = yield* cli("doctor")
      assert.strictEqual(well.code, 0, well.stdout)
      assert.match(well.stdout, /control plane +ok +http:\S+ answers; you are admin \(context dev\)/)
      assert.match(well.stdout, /host-1: data plane +ok +ready/)
      fake.agents[1] = { ...fake.agents[1]!, online: false }
      agent.link = "backoff"
      agent.outOfTouchMs = 60_000
      const ill = yield* cli("doctor --json", { env: { GLOBALSTACKS_LISTENS: "x", GLOBALSTACKS_MESH_AUTH_KEY: "secret" } })
      assert.strictEqual(ill.code, 1)
      const document: { readonly checks: ReadonlyArray<Finding>; readonly settings: ReadonlyArray<ShownSetting> } = JSON.parse(ill.stdout)
      const findings = document.checks
      assert.strictEqual(document.settings.find((s) => s.name === "GLOBALSTACKS_MESH_AUTH_KEY")?.value, "(set)")
      assert.deepStrictEqual(findings.filter((f) => f.result === "fail").map((f) => f.check), ["agent host-2", "host-1: link"])
      assert.deepStrictEqual(findings.filter((f) => f.result === "warn").map((f) => f.check), ["host-1: age", "GLOBALSTACKS_LISTENS"])
      agent.outOfTouchMs = 3_600_001
      const tooOld = JSON.parse((yield* cli("doctor --json")).stdout).checks.find((f: Finding) => f.check === "host-1: age")
      assert.deepInclude(tooOld, { result: "fail", next: "restore its way to http://127.0.0.1:7070; the limit is GLOBALSTACKS_TOPOLOGY_MAX_AGE" })
      assert.isTrue(findings.every((f) => f.result === "ok" || f.next !== null))
      assert.notInclude(ill.stdout, "secret")
    }).pipe(Effect.scoped))
})
