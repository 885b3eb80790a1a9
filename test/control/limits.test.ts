/** Limits of streams: what can be limited, what agents are told, and that a limit goes with what it is on. */
import { assert } from "@effect/vitest"
import { Effect, Option } from "effect"
import { Aliases } from "../../src/control/Aliases.ts"
import { Attachments } from "../../src/control/Attachments.ts"
import { Limits } from "../../src/control/Limits.ts"
import { Networks } from "../../src/control/Networks.ts"
import { Topologies } from "../../src/control/Topologies.ts"
import { onBothDatabases } from "./databases.ts"
import { alias, connect, fresh, network, port, runSandbox } from "./fixture.ts"

const api = alias("api")

onBothDatabases("limits", (it) => {
  it.effect("are set, replaced and cleared; agents get them with the alias or the member, and without one nothing", () => Effect.gen(function*() {
    const limits = yield* Limits
    const attachments = yield* Attachments
    const agent = yield* connect()
    const web = yield* runSandbox(agent, fresh("web")), backend = yield* runSandbox(agent, fresh("backend"))
    const name = network()
    const { id } = (yield* (yield* Networks).create(name, "agent_proxy")).value
    const topology = Effect.map((yield* Topologies).load(id), Option.getOrThrow)
    const refused = <R>(change: Effect.Effect<unknown, { readonly _tag: string }, R>) => Effect.map(Effect.flip(change), ({ _tag }) => _tag)
    yield* attachments.attach(name, backend.name, api, [port(80)])

    assert.strictEqual(yield* refused(limits.set(name, { sandbox: web.name }, { maxStreams: 1 })), "NotAttached")
    assert.strictEqual(yield* refused(limits.set(name, { alias: alias("none") }, { maxStreams: 1 })), "AliasNotFound")
    assert.strictEqual(yield* refused(limits.set(name, { alias: api, sandbox: web.name }, { maxStreams: 1 })), "InvalidRequest")
    assert.strictEqual(yield* refused(limits.set(name, {}, { maxStreams: 1 })), "InvalidRequest")
    assert.strictEqual(yield* refused(limits.set(name, { alias: api }, {})), "InvalidRequest")
    assert.strictEqual(yield* refused(limits.clear(name, { alias: api })), "LimitNotFound")

    yield* attachments.attach(name, web.name, undefined, [])
    assert.isTrue((yield* topology).aliases.every((one) => !("limit" in one)))
    const set = yield* limits.set(name, { alias: api }, { maxStreams: 5, maxPerSecond: 7 })
    assert.deepStrictEqual(set.value, { alias: api, sandbox: null, maxStreams: 5, maxPerSecond: 7 })
    yield* limits.set(name, { alias: api }, { maxPerSecond: 9 })
    yield* limits.set(name, { sandbox: web.id }, { maxStreams: 2 })
    assert.deepStrictEqual(yield* limits.list(name), [
      { alias: api, sandbox: null, maxStreams: null, maxPerSecond: 9 }, { alias: null, sandbox: web.name, maxStreams: 2, maxPerSecond: null }
    ])
    const limited = yield* topology
    assert.deepStrictEqual(limited.aliases.map(({ limit }) => limit), [{ maxPerSecond: 9 }])
    assert.deepStrictEqual(limited.members.map(({ id, limit }) => [id, limit]), [[web.id, { maxStreams: 2 }], [backend.id, undefined]])

    const cleared = yield* limits.clear(name, { sandbox: web.name })
    assert.strictEqual(cleared.value.sandbox, web.name)
    yield* limits.set(name, { sandbox: web.name }, { maxStreams: 3 })
    yield* attachments.detach(name, web.name)
    yield* (yield* Aliases).remove(name, api, undefined)
    assert.deepStrictEqual(yield* limits.list(name), [])
    yield* attachments.attach(name, web.name, undefined, [])
    assert.isTrue((yield* topology).members.every((one) => !("limit" in one)))
  }))
})
