import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Option, Scope } from "effect"
import { spawn } from "node:child_process"
import { join } from "node:path"
import { read } from "../../src/control/Config.ts"
import { configFor, pathsIn } from "../../src/control/Headscale/config.ts"
import { networkOfTag, policyFor, tagOf } from "../../src/control/Headscale/policy.ts"
import { superfluous } from "../../src/control/MeshNodes.ts"
import { nearest } from "../../src/domain/nearest.ts"
import { lockDirectory } from "../../src/control/sql/DataDirectory.ts"
import { NetworkId } from "../../src/domain/Ids.ts"
import { temporaryFolder } from "./server.ts"

const state = { GLOBALSTACKS_STATE_DIR: "/var/lib/gstacks" }
const rejected = (env: Record<string, string>) => Effect.map(Effect.flip(read({ ...state, ...env })), ({ variable, message }) => {
  assert.isTrue(message.startsWith(`${variable}: `))
  return variable
})

describe("settings", () => {
  it.effect("defaults: loopback, embedded database, no mesh", () => Effect.gen(function*() {
    const config = yield* read(state)
    assert.deepStrictEqual(config.listen, { host: "127.0.0.1", port: 7070 })
    assert.include(config.database, { _tag: "Embedded", directory: "/var/lib/gstacks/database" })
    assert.deepStrictEqual(config.mesh, { _tag: "None" })
  }))
  it.effect("plain HTTP beyond the loopback needs the flag", () => Effect.gen(function*() {
    assert.strictEqual(yield* rejected({ GLOBALSTACKS_LISTEN: "10.0.0.1:7070" }), "GLOBALSTACKS_LISTEN")
    const config = yield* read({ ...state, GLOBALSTACKS_LISTEN: "10.0.0.1:7070", GLOBALSTACKS_ALLOW_PLAIN_HTTP: "1" })
    assert.strictEqual(config.listen.host, "10.0.0.1")
    assert.strictEqual((yield* read({ ...state, GLOBALSTACKS_LISTEN: "[::1]:1" })).listen.host, "::1")
  }))
  it.effect("what is wrong is named", () => Effect.gen(function*() {
    assert.strictEqual(yield* rejected({ GLOBALSTACKS_STATE_DIR: "relative" }), "GLOBALSTACKS_STATE_DIR")
    assert.strictEqual(yield* rejected({ GLOBALSTACKS_LISTEN: "7070" }), "GLOBALSTACKS_LISTEN")
    assert.strictEqual(yield* rejected({ GLOBALSTACKS_LISTEN: "127.0.0.1:70700" }), "GLOBALSTACKS_LISTEN")
    assert.strictEqual(yield* rejected({ GLOBALSTACKS_LISTEN_SOCKET: `/${"x".repeat(120)}` }), "GLOBALSTACKS_LISTEN_SOCKET")
    assert.strictEqual(yield* rejected({ GLOBALSTACKS_DATABASE_URL: "mysql://x" }), "GLOBALSTACKS_DATABASE_URL")
    assert.strictEqual(yield* rejected({ GLOBALSTACKS_MESH_HEADSCALE_LISTEN_ADDR: "host:8080" }), "GLOBALSTACKS_MESH_HEADSCALE_LISTEN_ADDR")
    assert.strictEqual(yield* rejected({ GLOBALSTACKS_MESH_HEADSCALE_LISTEN_ADDR: "10.0.0.1:8080" }), "GLOBALSTACKS_HEADSCALE_BIN")
    assert.strictEqual(yield* rejected({ GLOBALSTACKS_MESH_API_URL: "http://hs" }), "GLOBALSTACKS_MESH_API_TOKEN")
    assert.strictEqual(yield* rejected({ GLOBALSTACKS_MESH_API_TOKEN: "t" }), "GLOBALSTACKS_MESH_API_URL")
    assert.strictEqual(yield* rejected({ GLOBALSTACKS_MESH_API_URL: "http://hs", GLOBALSTACKS_MESH_API_TOKEN: "t" }), "GLOBALSTACKS_MESH_CONTROL_URL")
    assert.strictEqual(yield* rejected({ GLOBALSTACKS_MESH_AUTH_KEY: "k" }), "GLOBALSTACKS_MESH_AUTH_KEY")
  }))
  it.effect("managed mode derives the control URL from APP_HOST and the listen address", () => Effect.gen(function*() {
    const managed = { ...state, GLOBALSTACKS_MESH_HEADSCALE_LISTEN_ADDR: "10.0.0.1:8080", GLOBALSTACKS_LIBEXEC: "/opt/gstacks" }
    const { mesh } = yield* read({ ...managed, APP_HOST: "gs.example.org" })
    assert.deepStrictEqual(mesh, { _tag: "Managed", binary: "/opt/gstacks/headscale", listen: { host: "10.0.0.1", port: 8080 }, controlUrl: "http://gs.example.org:8080" })
    assert.strictEqual((yield* read(managed)).mesh._tag === "Managed" && (yield* read(managed)).mesh._tag, "Managed")
  }))
  it.effect("an existing Headscale, with and without a key made beforehand", () => Effect.gen(function*() {
    const external = { ...state, GLOBALSTACKS_MESH_API_URL: "https://hs.example.org/", GLOBALSTACKS_MESH_API_TOKEN: "t", GLOBALSTACKS_MESH_CONTROL_URL: "https://hs.example.org" }
    const { mesh } = yield* read(external)
    if (mesh._tag !== "External") return assert.fail(mesh._tag)
    assert.strictEqual(mesh.apiUrl, "https://hs.example.org")
    assert.isTrue(Option.isNone(mesh.authKey))
    const withKey = (yield* read({ ...external, GLOBALSTACKS_MESH_AUTH_KEY: "k" })).mesh
    assert.isTrue(withKey._tag === "External" && Option.isSome(withKey.authKey))
  }))
})

describe("data directory", () => {
  it.live("belongs to one process; the lock of a dead one is free, for one of many", () => Effect.gen(function*() {
    const folder = yield* temporaryFolder
    const script = `
      import { Effect } from "effect"
      import { lockDirectory } from ${JSON.stringify(join(import.meta.dirname, "../../src/control/sql/DataDirectory.ts"))}
      setInterval(() => {}, 60_000)
      await Effect.runPromise(Effect.scoped(Effect.andThen(lockDirectory(${JSON.stringify(folder)}), Effect.andThen(Effect.sync(() => console.log("locked")), Effect.never))))`
    const holder = spawn(process.execPath, ["--input-type=module", "-e", script], { cwd: join(import.meta.dirname, "../.."), stdio: ["ignore", "pipe", "inherit"] })
    yield* Effect.callback<void>((resume) => { holder.stdout.once("data", () => resume(Effect.void)) })
    const refused = yield* Effect.scoped(lockDirectory(folder)).pipe(Effect.flip)
    assert.include(refused.message, String(holder.pid))
    yield* Effect.callback<void>((resume) => { holder.once("exit", () => resume(Effect.void)); holder.kill("SIGKILL") })
    const held = yield* Scope.make()
    const attempts = yield* Effect.forEach([1, 2, 3, 4], () => Effect.exit(Scope.provide(lockDirectory(folder), held)), { concurrency: "unbounded" })
    assert.strictEqual(attempts.filter(Exit.isSuccess).length, 1)
    yield* Scope.close(held, Exit.void)
    yield* Effect.scoped(lockDirectory(folder))
  }).pipe(Effect.scoped), 30_000)
})

describe("mesh documents", () => {
  const a = NetworkId.make("net_000000000000000001"), b = NetworkId.make("net_000000000000000002")
  it("a policy names two tags per network, lets both reach agents and agents both on one port, no local node another, and is never empty", () => {
    const policy = JSON.parse(policyFor([b, a])) as { tagOwners: Record<string, unknown>; grants: ReadonlyArray<{ src: ReadonlyArray<string>; dst: ReadonlyArray<string>; ip: ReadonlyArray<string> }> }
    assert.sameMembers(Object.keys(policy.tagOwners), ["tag:nobody", ...[a, b].flatMap((id) => [tagOf(id, "agent"), tagOf(id, "local")])])
    for (const grant of policy.grants) {
      assert.deepStrictEqual(grant.ip, ["tcp:7000"])
      assert.strictEqual(new Set([...grant.src, ...grant.dst].map(networkOfTag)).size, 1)
      assert.isFalse(grant.src.some((tag) => tag.endsWith("-local")) && grant.dst.some((tag) => tag.endsWith("-local")))
    }
    for (const id of [a, b]) assert.isTrue(policy.grants.some(({ src, dst }) => src.includes(tagOf(id, "agent")) && dst.includes(tagOf(id, "local"))), "what a machine publishes is dialled by agents")
    assert.isNotEmpty((JSON.parse(policyFor([])) as typeof policy).grants)
    assert.strictEqual(policyFor([a, b]), policyFor([b, a]))
  })
  it("only nodes of ours that nobody waits for are superfluous", () => {
    const node = (id: string, key: string | null, tags: ReadonlyArray<string>) => ({ id, givenName: id, name: id, ipAddresses: [], preAuthKey: key === null ? null : { id: key }, tags })
    const nodes = [node("1", "k1", [tagOf(a, "agent")]), node("2", "k2", [tagOf(a, "agent")]), node("3", "k3", [tagOf(a, "agent")]), node("4", null, ["tag:other"]), node("5", null, [])]
    assert.deepStrictEqual(superfluous(nodes, new Set(["1"]), new Set(["k2"])).map((found) => found.id), ["3"])
  })
  it("Headscale contacts nobody, and its socket's path stays short", () => {
    const paths = pathsIn(`/${"deep/".repeat(30)}state`)
    assert.isBelow(paths.socket.length, 100)
    const config = JSON.parse(configFor(paths, { host: "10.0.0.1", port: 8080 }, "http://10.0.0.1:8080"))
    assert.deepStrictEqual([config.derp.urls, config.derp.auto_update_enabled, config.disable_check_updates, config.logtail.enabled], [[], false, true, false])
    assert.strictEqual(config.derp.server.stun_listen_addr, "10.0.0.1:8080")
  })
})

describe("nearest", () => {
  it("suggests a likely slip and nothing far-fetched", () => {
    assert.strictEqual(nearest("stagin", ["dev", "staging"]), "staging")
    assert.strictEqual(nearest("dve", ["dev", "prod"]), undefined)
    assert.strictEqual(nearest("de", ["dev", "prod"]), "dev")
    assert.isUndefined(nearest("zzzzzz", ["dev", "prod"]))
    assert.isUndefined(nearest("x", []))
  })
})
