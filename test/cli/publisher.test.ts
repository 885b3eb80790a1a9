/** `gstacks network publisher ...` and what `mesh publish` takes: what is sent, what is shown, what is refused. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { AliasName } from "../../src/domain/DnsLabel.ts"
import { AliasId, LocalNodeId, makeId } from "../../src/domain/Ids.ts"
import type { Alias } from "../../src/domain/Network.ts"
import { VirtualAddress } from "../../src/domain/VirtualAddress.ts"
import { makeWorld } from "./world.ts"

describe("network publisher", () => {
  it.live("allows, lists, is seen in network show, and revokes", () => Effect.gen(function*() {
    const { cli, fake } = yield* makeWorld
    yield* cli("network create dev")
    assert.match((yield* cli("network publisher list dev")).stderr, /nobody may publish in network dev from a joined machine\nnext: gstacks network publisher allow dev <user>/)
    assert.include((yield* cli("network publisher allow dev ann")).stdout, "ann may publish in dev")
    assert.deepStrictEqual(fake.publishers.map(({ user }) => user), ["ann"])
    assert.strictEqual((yield* cli("network publisher list dev -o name")).stdout, "ann\n")
    assert.match((yield* cli("network show dev")).stdout, /PUBLISHERS\nUSER .*\nann /)
    assert.include((yield* cli("network publisher revoke dev ann")).stdout, "has ended")
    const again = yield* cli("network publisher revoke dev ann")
    assert.deepStrictEqual([again.code, fake.publishers], [3, []])
    assert.strictEqual((yield* cli("network publisher allow dev a/b")).code, 2)
  }).pipe(Effect.scoped))

  it.live("a list of aliases says whose machine publishes one, and until when", () => Effect.gen(function*() {
    const { cli, fake } = yield* makeWorld
    yield* cli("network create dev")
    const alias: Alias = {
      id: yield* makeId(AliasId, "als"), name: AliasName.make("laptop-api"), hostName: "laptop-api.dev.gstacks", address: VirtualAddress.make("127.64.1.1"), ports: [],
      sandboxId: null, sandbox: null, agent: null, local: { id: yield* makeId(LocalNodeId, "lcl"), user: "ann", machine: "laptop", expiresAt: "2026-01-01T00:00:00.000Z" }
    }
    fake.networks.get("dev")!.aliases.push(alias)
    assert.include((yield* cli("network alias list dev")).stdout, "local:ann (laptop) until 2026-01-01T00:00:00.000Z")
  }).pipe(Effect.scoped))

  it.live("mesh publish takes an alias with or without a port, a local port, and a day at most; nothing joined says what to do", () => Effect.gen(function*() {
    const { cli } = yield* makeWorld
    for (const words of ["laptop-api", "laptop-api:70000 --local 3000", "Laptop --local 3000", "laptop-api --local 0", "laptop-api --local 3000 --for 25h"]) {
      assert.strictEqual((yield* cli(`mesh publish dev ${words}`)).code, 2, words)
    }
    for (const line of ["mesh publish dev laptop-api:80 --local 3000 --for 24h", "mesh unpublish dev laptop-api"]) {
      const result = yield* cli(line, { env: { XDG_RUNTIME_DIR: "/nonexistent" } })
      assert.deepStrictEqual([result.code, /gstacks mesh join dev/.test(result.stderr)], [3, true], line)
    }
  }).pipe(Effect.scoped))
})
