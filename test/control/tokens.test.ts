import { assert } from "@effect/vitest"
import { Effect, Option } from "effect"
import { SqlClient } from "effect/sql"
import { Agents } from "../../src/control/Agents.ts"
import { Tokens } from "../../src/control/Tokens.ts"
import { AgentName } from "../../src/domain/DnsLabel.ts"
import { TokenId } from "../../src/domain/Ids.ts"
import { onBothDatabases } from "./databases.ts"
import { connect, enrol, fresh, runSandbox } from "./fixture.ts"

onBothDatabases("tokens and agents", (it) => {
  it.effect("a user token authenticates until it expires or is revoked; only its hash is stored", () => Effect.gen(function*() {
    const tokens = yield* Tokens
    const sql = yield* SqlClient.SqlClient
    const { secret, token } = yield* tokens.create("user", "ana")
    assert.match(secret, /^gsu_[\w-]{43}$/)
    assert.deepStrictEqual(Option.map(yield* tokens.authenticate(secret), (found) => found.id), Option.some(token.id))
    assert.deepStrictEqual(yield* sql`select 1 from tokens t where t::text like ${`%${secret}%`}`, [])
    assert.isTrue(Option.isNone(yield* tokens.authenticate(`${secret}x`)))
    assert.isTrue(Option.isNone(yield* tokens.authenticate((yield* tokens.create("user", "old", 0)).secret)))
    assert.isTrue(Option.isNone(yield* tokens.authenticate((yield* tokens.create("enrolment", "host")).secret)))
    yield* tokens.revoke(token.id)
    assert.isTrue(Option.isNone(yield* tokens.authenticate(secret)))
    assert.strictEqual((yield* tokens.revoke(TokenId.make("tok_000000000000000000")).pipe(Effect.flip))._tag, "TokenNotFound")
  }))

  it.effect("an enrolment token is refused when used, expired, unknown, or for a name that is taken", () => Effect.gen(function*() {
    const tokens = yield* Tokens
    const agents = yield* Agents
    const refused = (secret: string, name = fresh("host")) => Effect.map(Effect.flip(agents.enrol(secret, AgentName.make(name))), (problem) => problem.detail)
    const taken = fresh("host")
    const { secret } = yield* tokens.create("enrolment", "one")
    const { credential, agentId } = yield* agents.enrol(secret, AgentName.make(taken))
    assert.include(yield* refused(secret), `"${taken}" has used it`)
    assert.include(yield* refused("gse_unknown"), "not known")
    assert.include(yield* refused((yield* tokens.create("enrolment", "late", 0)).secret), "expired")
    const unspent = yield* tokens.create("enrolment", "two")
    assert.include(yield* refused(unspent.secret, taken), "enrolled already")
    assert.isNull((yield* tokens.list).find((token) => token.id === unspent.token.id)!.usedAt)
    assert.strictEqual(Option.getOrThrow(yield* agents.authenticate(credential)).id, agentId)
    assert.isTrue(Option.isNone(yield* agents.authenticate(secret)))
  }))

  it.effect("of two concurrent uses of one enrolment token, one wins", () => Effect.gen(function*() {
    const { secret } = yield* (yield* Tokens).create("enrolment", "race")
    const agents = yield* Agents
    const results = yield* Effect.forEach([1, 2, 3], () => Effect.result(agents.enrol(secret, AgentName.make(fresh("host")))), { concurrency: 3 })
    assert.strictEqual(results.filter((result) => result._tag === "Success").length, 1)
  }))

  it.effect("an agent is removed only without sandboxes, and its credential with it", () => Effect.gen(function*() {
    const agents = yield* Agents
    const busy = yield* connect()
    yield* runSandbox(busy)
    assert.strictEqual((yield* agents.remove(busy.name).pipe(Effect.flip))._tag, "AgentInUse")
    const idle = yield* enrol()
    yield* agents.remove(idle.name)
    assert.isTrue(Option.isNone(yield* agents.authenticate(idle.credential)))
    assert.strictEqual((yield* agents.show(idle.name).pipe(Effect.flip))._tag, "AgentNotFound")
  }))
})
