/** `gstacks debug ... --local`: the user's own background process, a real one, at its socket; no secret of it is shown. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Result } from "effect"
import { createHash } from "node:crypto"
import { mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { ActorSystem } from "../../src/actors/runtime/ActorSystem.ts"
import { AliasName, Port } from "../../src/domain/DnsLabel.ts"
import { decodeRecording } from "../../src/domain/Sight/Recording.ts"
import { Forwards } from "../../src/local/Forwards.ts"
import { Joins } from "../../src/local/Joins.ts"
import { Places } from "../../src/local/Places.ts"
import { outside, services } from "../../src/local/program.ts"
import { gstacks, temporaryFolder } from "./gstacks.ts"

const token = "gsu_0123456789abcdefghijklmnopqrstuvwxyz", guard = createHash("sha256").update("guard-of-this-user").digest("hex")

/** Without a control plane and meshd: it tries to join, and waits to forward. */
const backgroundProcess = Effect.gen(function*() {
  const folder = yield* temporaryFolder
  const runtimeDir = join(folder, "gstacks-local")
  mkdirSync(runtimeDir, { mode: 0o700 })
  const places = Places.of({
    stateDir: folder, runtimeDir, socket: join(runtimeDir, "local.sock"), log: join(runtimeDir, "local.log"),
    meshd: "/nonexistent", meshdSocket: join(runtimeDir, "meshd.sock"), meshdState: join(runtimeDir, "meshd"), lock: join(runtimeDir, "lock")
  })
  const context = yield* Layer.build(Layer.provide(services, Layer.provideMerge(outside, Layer.succeed(Places, places))))
  yield* Effect.forkScoped(Context.get(context, Joins).join("dev", { url: "http://127.0.0.1:1", token }), { startImmediately: true })
  yield* Context.get(context, Forwards).open({
    network: "dev", alias: AliasName.make("api"), port: Port.make(8080), listen: "127.0.0.1:0", kept: true, all: false, guard: { tokenSha256: guard }
  })
  yield* Context.get(context, ActorSystem).waitFor("local/joins/dev", () => true)
  return { folder, cli: (line: string) => gstacks(line, { env: { XDG_CONFIG_HOME: folder, XDG_RUNTIME_DIR: folder } }) }
})

describe("debug --local", () => {
  it.live("shows the tree and each actor of it, without the control plane and a login", () => Effect.gen(function*() {
    const { cli } = yield* backgroundProcess
    const names = (yield* cli("debug actors --local -o name")).stdout.trimEnd().split("\n")
    assert.deepStrictEqual(names, ["local", "local/meshd", "local/joins", "local/joins/dev", "local/forwards", "local/forwards/dev/api:8080/1", "local/commands", "local/publications"])
    assert.match((yield* cli("debug actors --local")).stdout, /^local +running [^]*^\| {2}`- dev +\S+ +running .* localJoin /m)
    const join = yield* cli("debug actor local/joins/dev --json") // its address says where it is
    assert.deepInclude(JSON.parse(join.stdout), { agent: "local" })
    assert.deepStrictEqual([(yield* cli("debug actor local/joins/dex")).code, (yield* cli("debug actor host-1:agent --local")).code, (yield* cli("debug actors --local --control")).code], [3, 2, 2])
  }).pipe(Effect.scoped))

  it.live("records it; nowhere is the user's token or a forward's guard", () => Effect.gen(function*() {
    const { cli, folder } = yield* backgroundProcess
    const file = join(folder, "seen.jsonl")
    const recorded = yield* cli(`debug record --local --for 200ms -o ${file}`)
    assert.strictEqual(recorded.code, 0, recorded.stderr)
    assert.deepStrictEqual(Result.getOrThrow(decodeRecording(readFileSync(file, "utf8"))).processes.map(({ actors, agent }) => [agent, actors.length]), [["local", 8]])
    const names = (yield* cli("debug actors --local -o name")).stdout.trimEnd().split("\n")
    const details = yield* Effect.forEach(names, (name) => cli(`debug actor ${name} --json`))
    const shown = [readFileSync(file, "utf8"), ...details.map(({ stdout }) => stdout)].join("\n")
    assert.include(shown, "localJoin")
    for (const secret of [token, guard]) assert.notInclude(shown, secret)
  }).pipe(Effect.scoped))

  it.live("says what to do when none runs", () => Effect.gen(function*() {
    const { code, stderr } = yield* gstacks("debug actors --local", { env: { XDG_RUNTIME_DIR: yield* temporaryFolder } })
    assert.deepStrictEqual([code, stderr], [3, "error: no background process of yours runs on this machine; it begins with the first join\nnext: gstacks mesh join <network>\n"])
  }).pipe(Effect.scoped))
})
