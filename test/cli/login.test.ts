/** Contexts, login and where a command goes: flag before environment before context before default. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { FakeControl, serveFakeControl } from "../harness/fakeControl.ts"
import { gstacks, temporaryFolder } from "./gstacks.ts"

const prepared = Effect.gen(function*() {
  const folder = yield* temporaryFolder
  const fake = new FakeControl()
  const url = yield* serveFakeControl(fake)
  const env = { XDG_CONFIG_HOME: folder }
  const file = join(folder, "gstacks/config.json")
  const write = (config: unknown) => {
    mkdirSync(join(folder, "gstacks"), { recursive: true })
    writeFileSync(file, typeof config === "string" ? config : JSON.stringify(config), { mode: 0o600 })
  }
  return { fake, url, env, file, folder, write, read: () => JSON.parse(readFileSync(file, "utf8")) }
})

describe("login", () => {
  it.live("reads the token from a pipe, checks it, keeps it for its owner only", () =>
    Effect.gen(function*() {
      const { env, fake, file, read, url } = yield* prepared
      const ended = yield* gstacks(`login --url ${url} --context prod`, { env, stdin: `${fake.token}\n` })
      assert.deepStrictEqual([ended.code, ended.stdout], [0, `logged in to ${url} as admin; context prod is current\n`])
      assert.strictEqual(statSync(file).mode & 0o777, 0o600)
      assert.deepStrictEqual(read(), { current: "prod", contexts: { prod: { url, token: fake.token } } })
      assert.match((yield* gstacks("whoami", { env })).stdout, /User: +admin\nControl plane: .*\nContext: +prod\n/)
    }).pipe(Effect.scoped))

  it.live("asks a person; a token that is refused is not kept", () =>
    Effect.gen(function*() {
      const { env, fake, url } = yield* prepared
      const wrong = yield* gstacks(`login --url ${url}`, { env, answer: "wrong" })
      assert.strictEqual(wrong.code, 4)
      assert.include((yield* gstacks("context list", { env })).stderr, "there are no contexts")
      assert.strictEqual((yield* gstacks(`login --url ${url}`, { env, answer: fake.token })).code, 0)
      assert.match((yield* gstacks("context list", { env })).stdout, /\* +default +http:\S+ +yes\n$/)
      const none = yield* gstacks(`login --url ${url}`, { env, stdin: "" })
      assert.deepStrictEqual([none.code, none.stderr.includes("no token was given")], [2, true])
    }).pipe(Effect.scoped))

  it.live("logout forgets the token and says so when one is needed", () =>
    Effect.gen(function*() {
      const { env, fake, read, url, write } = yield* prepared
      write({ current: "dev", contexts: { dev: { url, token: fake.token, agentSockets: { "host-1": "/x" } } } })
      assert.strictEqual((yield* gstacks("logout", { env })).code, 0)
      assert.deepStrictEqual(read().contexts.dev, { url, agentSockets: { "host-1": "/x" } })
      const after = yield* gstacks("network list", { env })
      assert.strictEqual(after.code, 4)
      assert.include(after.stderr, `next: gstacks login --url ${url}`)
    }).pipe(Effect.scoped))
})

describe("context", () => {
  it.live("use, list, and --context for one command", () =>
    Effect.gen(function*() {
      const { env, fake, read, url, write } = yield* prepared
      write({ current: "other", contexts: { other: { url: "http://127.0.0.1:1", token: "t" }, dev: { url, token: fake.token } } })
      assert.strictEqual((yield* gstacks("network list", { env })).code, 1)
      assert.strictEqual((yield* gstacks("network list --context dev", { env })).code, 0)
      assert.strictEqual((yield* gstacks("network list", { env: { ...env, GSTACKS_CONTEXT: "dev" } })).code, 0)
      assert.strictEqual((yield* gstacks("network list --context other", { env: { ...env, GSTACKS_CONTEXT: "dev" } })).code, 1)
      assert.strictEqual((yield* gstacks("context use dev", { env })).stdout, `context dev (${url}) is current\n`)
      assert.strictEqual(read().current, "dev")
      assert.strictEqual((yield* gstacks("network list", { env })).code, 0)
      assert.strictEqual((yield* gstacks("context list -o name", { env })).stdout, "other\ndev\n")
    }).pipe(Effect.scoped))

  it.live("a context's token goes to its own URL only", () =>
    Effect.gen(function*() {
      const { env, fake, url, write } = yield* prepared
      write({ current: "dev", contexts: { dev: { url: "http://127.0.0.1:1", token: fake.token } } })
      const elsewhere = yield* gstacks(`network list --url ${url}`, { env })
      assert.deepStrictEqual([elsewhere.code, elsewhere.stderr], [4, `error: there is no token for ${url}\nnext: gstacks login --url ${url}\n`])
      assert.strictEqual((yield* gstacks("network list", { env: { ...env, GSTACKS_URL: url, GSTACKS_TOKEN: fake.token } })).code, 0)
    }).pipe(Effect.scoped))

  it.live("a Unix socket is an address like any other", () =>
    Effect.gen(function*() {
      const { env, folder } = yield* prepared
      const fake = new FakeControl()
      const url = yield* serveFakeControl(fake, join(folder, "api.sock"))
      const made = yield* gstacks(`network create dev --url ${url}`, { env: { ...env, GSTACKS_TOKEN: fake.token } })
      assert.strictEqual(made.code, 0, made.stderr)
    }).pipe(Effect.scoped))

  it.live("a broken file is named, with what to do", () =>
    Effect.gen(function*() {
      const { env, file, write } = yield* prepared
      write("{ not json")
      const ended = yield* gstacks("network list", { env })
      assert.deepStrictEqual([ended.code, ended.stderr], [1, `error: ${file}: not a valid gstacks configuration\nnext: mend or remove the file, then: gstacks login\n`])
    }).pipe(Effect.scoped))
})
