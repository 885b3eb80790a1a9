/** The bundle as a process of its own: what only a real process shows. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { build } from "esbuild"
import { spawn } from "node:child_process"
import { createHash, randomBytes } from "node:crypto"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer, type Server } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { nodeShell } from "../../src/cli/nodeShell.ts"
import { Shell, type Signal } from "../../src/cli/Shell.ts"
import { fakeAgent } from "../harness/fakeControl.ts"
import { FakeLocalAgent, serveFakeLocalAgent } from "../harness/fakeLocalAgent.ts"
import { makeWorld } from "./world.ts"

let folder: string
let program: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "gs-cli-"))
  program = join(folder, "cli.mjs")
  await build({
    entryPoints: [join(import.meta.dirname, "../../src/cli/main.ts")], outfile: program, bundle: true, platform: "node", format: "esm", target: "node24", logLevel: "error",
    banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" }
  })
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const start = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) => {
  const child = spawn(process.execPath, [program, ...args], { env: { PATH: process.env["PATH"], XDG_CONFIG_HOME: folder, XDG_STATE_HOME: folder, ...env } })
  let stdout = "", stderr = ""
  child.stdout.on("data", (chunk) => { stdout += chunk })
  child.stderr.on("data", (chunk) => { stderr += chunk })
  const ended = once(child, "close").then(([code]) => ({ code: code as number, stdout, stderr }))
  return { child, ended }
}
const run = (args: ReadonlyArray<string>, env?: Readonly<Record<string, string>>) => Effect.promise(() => start(args, env).ended)

/** The same on a terminal of its own (util-linux's `script`), with `keys` typed once `question` is there. */
const atTerminal = (args: ReadonlyArray<string>, question: string, keys: string, env: Readonly<Record<string, string>>) =>
  Effect.promise(async () => {
    const line = [process.execPath, program, ...args].join(" ")
    const child = spawn("script", ["--quiet", "--return", "--command", line, "/dev/null"], { env: { PATH: process.env["PATH"], XDG_CONFIG_HOME: folder, XDG_STATE_HOME: folder, ...env } })
    let stdout = ""
    child.stdout.on("data", (chunk) => {
      if (!stdout.includes(question) && (stdout + chunk).includes(question)) child.stdin.write(keys)
      stdout += chunk
    })
    const [code] = await once(child, "close")
    return { code: code as number, stdout }
  })

describe("signals of the process", () => {
  it.effect("end the command, unless it takes them; what took them ends as it would have, however late one comes", () =>
    Effect.gen(function*() {
      const { deliver, layer } = nodeShell([])
      const taken: Array<Signal> = []
      assert.isFalse(deliver("SIGINT"))
      yield* Effect.scoped(Effect.gen(function*() {
        yield* (yield* Shell).onSignal((signal) => Effect.sync(() => void taken.push(signal)))
        assert.isTrue(deliver("SIGTERM"))
      })).pipe(Effect.provide(layer))
      assert.isTrue(deliver("SIGINT"))
      assert.deepStrictEqual(taken, ["SIGTERM"])
    }))
})

describe("the process", () => {
  it.live("--help, --version and completions go to stdout", () =>
    Effect.gen(function*() {
      const help = yield* run(["--help"])
      assert.deepStrictEqual([help.code, help.stderr], [0, ""])
      for (const word of ["network", "sandbox", "agent", "control", "dev", "doctor", "debug", "login"]) assert.match(help.stdout, new RegExp(`^  ${word} `, "m"))
      assert.match((yield* run(["agent", "--help"])).stdout, /^ {2}run +Run this host's agent in the foreground$/m)
      assert.match((yield* run(["--version"])).stdout, /^gstacks \d+\.\d+\.\d+\n$/)
      assert.include((yield* run(["--completions", "bash"])).stdout, "gstacks")
    }))

  it.live("prints no colours and no cursor movements into a pipe", () =>
    Effect.gen(function*() {
      const outputs = yield* Effect.all([run(["--help"], { FORCE_COLOR: "1" }), run(["nonsense"]), run(["network", "list"])], { concurrency: 2 })
      for (const { stdout, stderr } of outputs) assert.notMatch(stdout + stderr, /[^\n -~]/)
    }))

  it.live("a whole answer reaches a pipe before the process ends", () =>
    Effect.gen(function*() {
      const { env, fake } = yield* makeWorld
      const [box] = fake.sandboxes
      for (let i = 0; i < 2000; i++) fake.sandboxes.push({ ...box!, name: `box-${i}` as never })
      const listed = yield* run(["sandbox", "list", "--json"], env)
      assert.strictEqual(JSON.parse(listed.stdout).length, 2002)
    }).pipe(Effect.scoped))

  it.live("a reader that leaves ends it without a word", () =>
    Effect.gen(function*() {
      const { env, fake } = yield* makeWorld
      const [box] = fake.sandboxes
      for (let i = 0; i < 2000; i++) fake.sandboxes.push({ ...box!, name: `box-${i}` as never })
      const { child, ended } = start(["sandbox", "list"], env)
      child.stdout.destroy()
      const { code, stderr } = yield* Effect.promise(() => ended)
      assert.deepStrictEqual([code, stderr], [141, ""])
    }).pipe(Effect.scoped))

  it.live("exec reads a pipe to its end and writes any bytes", () =>
    Effect.gen(function*() {
      const { env, fake } = yield* makeWorld
      const socket = join(folder, "agent.sock")
      const agent = new FakeLocalAgent("host-1")
      agent.sandboxes.add(fake.sandboxes[0]!.id)
      fake.agents[0] = yield* fakeAgent("host-1", socket)
      yield* serveFakeLocalAgent(agent, socket)
      const sent = randomBytes(1024 * 1024)
      const { child, ended } = start(["sandbox", "exec", "web", "--", "sh", "-c", "sha256sum; exit 3"], env)
      child.stdin.end(sent)
      const { code, stdout, stderr } = yield* Effect.promise(() => ended)
      assert.deepStrictEqual([code, stdout, stderr], [3, `${createHash("sha256").update(sent).digest("hex")}  -\n`, ""])
    }).pipe(Effect.scoped))

  it.live("exec ends with its program even when its own input stays open", () =>
    Effect.gen(function*() {
      const { env, fake } = yield* makeWorld
      const socket = join(folder, "agent-2.sock")
      const agent = new FakeLocalAgent("host-1")
      agent.sandboxes.add(fake.sandboxes[0]!.id)
      fake.agents[0] = yield* fakeAgent("host-1", socket)
      yield* serveFakeLocalAgent(agent, socket)
      assert.strictEqual((yield* run(["sandbox", "exec", "web", "--", "echo", "hi"], env)).stdout, "hi\n")
    }).pipe(Effect.scoped))

  it.live("asks at a terminal, plainly; a hidden answer is not echoed", () =>
    Effect.gen(function*() {
      const { env, fake } = yield* makeWorld
      const removed = yield* atTerminal(["sandbox", "remove", "web"], "[y/N] ", "y\n", env)
      assert.deepStrictEqual([removed.code, fake.sandboxes.map((s) => s.name)], [0, ["backend"]], removed.stdout)
      assert.notInclude(removed.stdout, "\u001b")
      const login = yield* atTerminal(["login", "--url", env.GSTACKS_URL], "User token for ", `${fake.token}\n`, {})
      assert.strictEqual(login.code, 0, login.stdout)
      assert.notInclude(login.stdout, fake.token)
      assert.include(login.stdout, "as admin")
      assert.strictEqual((yield* atTerminal(["sandbox", "remove", "backend"], "[y/N] ", "\u0003", env)).code, 130)
    }).pipe(Effect.scoped), 20_000)

  it.live("an interrupt ends a request with 130", () =>
    Effect.gen(function*() {
      const asked = yield* Deferred.make<void>()
      const silent: Server = yield* Effect.acquireRelease(
        Effect.promise(async () => {
          const server = createServer((socket) => socket.on("error", () => {}).once("data", () => Effect.runFork(Deferred.succeed(asked, undefined))))
          await once(server.listen(0, "127.0.0.1"), "listening")
          return server
        }),
        (server) => Effect.sync(() => server.close())
      )
      const { port } = silent.address() as { readonly port: number }
      const { child, ended } = start(["network", "list"], { GSTACKS_URL: `http://127.0.0.1:${port}`, GSTACKS_TOKEN: "t" })
      yield* Deferred.await(asked)
      child.kill("SIGINT")
      assert.strictEqual((yield* Effect.promise(() => ended)).code, 130)
    }).pipe(Effect.scoped))
})
