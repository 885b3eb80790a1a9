import { assert } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, SubscriptionRef } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { setTimeout as delay } from "node:timers/promises"
import { tagOf } from "../../src/control/Headscale/policy.ts"
import { LocalNodes, mostPerUser } from "../../src/control/LocalNodes.ts"
import { LocalNodeExpiry } from "../../src/control/LocalNodes/Expiry.ts"
import { Mesh } from "../../src/control/Mesh.ts"
import { Networks } from "../../src/control/Networks.ts"
import { Attachments } from "../../src/control/Attachments.ts"
import { Rules } from "../../src/control/Rules.ts"
import { Tokens } from "../../src/control/Tokens.ts"
import { Topologies } from "../../src/control/Topologies.ts"
import { MachineId, makeId } from "../../src/domain/Ids.ts"
import { Principal } from "../../src/protocol/http/Authorization.ts"
import { fakeHeadscale } from "../harness/fakeHeadscale.ts"
import { onBothDatabases } from "./databases.ts"
import { alias, connect, fresh, network, port, ports, runSandbox } from "./fixture.ts"

const machineId = makeId(MachineId, "mch")

/** A network with `api` that ann's machines may reach, and `db` that nobody's may; a mesh; and a token of ann's. */
const scene = Effect.gen(function*() {
  const headscale = fakeHeadscale()
  yield* SubscriptionRef.set((yield* Mesh).current, Option.some(headscale.api))
  const agent = yield* connect()
  const [backend, database] = [yield* runSandbox(agent, fresh("backend")), yield* runSandbox(agent, fresh("db"))]
  const name = network()
  const { value: { id: networkId } } = yield* (yield* Networks).create(name, "agent_proxy")
  yield* (yield* Attachments).attach(name, backend.name, alias("api"), [port(8080)])
  yield* (yield* Attachments).attach(name, database.name, alias("db"), [port(5432)])
  const ann = fresh("ann")
  yield* (yield* Rules).allow(name, `local:${ann}`, alias("api"), ports(8080))
  yield* (yield* Rules).allow(name, "any", alias("db"), ports(5432))
  const { token } = yield* (yield* Tokens).create("user", ann)
  const asAnn = Effect.provideService(Principal, { name: ann, token: token.id })
  const machine = yield* machineId
  const locals = yield* LocalNodes
  const join = Effect.fnUntraced(function*(as: typeof asAnn = asAnn, of = machine) {
    const granted = yield* locals.join(name, of, "laptop").pipe(as)
    const node = headscale.enter(granted.grant.authKey)
    return { ...granted, node, view: yield* locals.joined(name, granted.id, of).pipe(as) }
  })
  const topology = Effect.map((yield* Topologies).load(networkId), Option.getOrThrow)
  return { headscale, name, networkId, ann, token, asAnn, machine, locals, join, topology }
})

const until = <E, R>(check: Effect.Effect<boolean, E, R>) => Effect.repeat(Effect.tap(check, Effect.yieldNow), { until: (done) => done })

onBothDatabases("local nodes", (it) => {
  it.effect("a join: the key carries the tag of local nodes, the node is the one made with it, and the agents hear of it", () => Effect.gen(function*() {
    const { name, networkId, ann, join, topology, locals } = yield* scene
    const { id, node, view } = yield* join()
    assert.deepStrictEqual(node.tags, [tagOf(networkId, "local")])
    assert.strictEqual(view.address, node.ipAddresses[0])
    const [published] = (yield* topology).localNodes
    assert.deepInclude(published, { id, user: ann, nodeId: node.id, address: node.ipAddresses[0]! })
    assert.deepStrictEqual((yield* topology).agents.map((agent) => agent.node), [null], "a local node is no agent's")
    assert.deepStrictEqual((yield* locals.list(name)).map((row) => [row.id, row.user, row.machine]), [[id, ann, "laptop"]])
    const sql = yield* SqlClient.SqlClient
    const audit = yield* sql<{ action: string; actor: string }>`select action, actor from audit_log where network_id = ${networkId} and action like 'local.%' order by id`
    assert.deepStrictEqual(audit.map((row) => [row.action, row.actor]), [["local.join", ann], ["local.joined", ann]])
  }))

  it.effect("is its user's and its machine's: to anybody else it does not exist, and a key that nobody used brings no node", () => Effect.gen(function*() {
    const { name, locals, machine, asAnn, join } = yield* scene
    const granted = yield* locals.join(name, machine, "laptop").pipe(asAnn)
    assert.strictEqual((yield* locals.joined(name, granted.id, machine).pipe(asAnn, Effect.flip))._tag, "MeshUnavailable")
    const { id } = yield* join()
    const bob = Effect.provideService(Principal, { name: "bob" })
    assert.strictEqual((yield* locals.renew(name, id, machine, 0, 0).pipe(bob, Effect.flip))._tag, "LocalNodeNotFound")
    assert.strictEqual((yield* locals.renew(name, id, yield* machineId, 0, 0).pipe(asAnn, Effect.flip))._tag, "LocalNodeNotFound")
    assert.strictEqual((yield* locals.join("infra", machine, "laptop").pipe(asAnn, Effect.flip))._tag, "NetworkNotFound")
    const odd = yield* locals.join(name, machine, "laptop").pipe(Effect.provideService(Principal, { name: "a b" }), Effect.flip)
    assert.strictEqual(odd._tag, "InvalidRequest")
  }))

  it.effect("a renewal tells what the machine may use, and nothing else, and waits for the next version", () => Effect.gen(function*() {
    const { name, locals, machine, asAnn, join, topology } = yield* scene
    const { id } = yield* join()
    const first = yield* locals.renew(name, id, machine, 0, 0).pipe(asAnn)
    assert.deepStrictEqual(first.topology?.aliases.map((one) => one.name), [alias("api")])
    assert.deepStrictEqual([first.topology?.members, first.topology?.rules.length, first.topology?.localNodes.map((node) => node.id)], [[], 1, [id]])
    const { version } = yield* topology
    assert.isNull((yield* locals.renew(name, id, machine, version, 1).pipe(asAnn)).topology)
    const waiting = yield* Effect.forkChild(locals.renew(name, id, machine, version, 30_000).pipe(asAnn), { startImmediately: true })
    yield* (yield* Rules).allow(name, "local", alias("db"), ports(5432))
    const next = yield* Fiber.join(waiting)
    assert.deepStrictEqual(next.topology?.aliases.map((one) => one.name).sort(), [alias("api"), alias("db")])
  }))

  it.effect("a join of the same machine replaces the one before, of which the coordinator is told to forget", () => Effect.gen(function*() {
    const { name, locals, machine, asAnn, join, topology, headscale } = yield* scene
    const first = yield* join(), second = yield* join()
    assert.deepStrictEqual((yield* topology).localNodes.map((node) => node.id), [second.id])
    const problem = yield* locals.renew(name, first.id, machine, 0, 0).pipe(asAnn, Effect.flip)
    assert.deepInclude(problem, { _tag: "LocalNodeEnded", reason: "replaced" })
    yield* until(Effect.sync(() => !headscale.nodes.some((node) => node.id === first.node.id)))
    assert.isTrue(headscale.nodes.some((node) => node.id === second.node.id))
  }))

  it.effect("leaving, revoking, a revoked token and a removed network end it for everyone at once", () => Effect.gen(function*() {
    const { name, locals, machine, asAnn, join, topology, token } = yield* scene
    const reasonOf = (id: string) => Effect.map(Effect.flip(locals.renew(name, id, machine, 0, 0).pipe(asAnn)), (problem) => problem._tag === "LocalNodeEnded" ? problem.reason : problem._tag)
    const left = yield* join()
    yield* locals.end(name, left.id, machine).pipe(asAnn)
    assert.deepStrictEqual([(yield* topology).localNodes, yield* reasonOf(left.id)], [[], "left"])
    const revoked = yield* join()
    const waiting = yield* Effect.forkChild(Effect.flip(locals.renew(name, revoked.id, machine, (yield* topology).version, 30_000).pipe(asAnn)), { startImmediately: true })
    yield* locals.end(name, revoked.id, undefined)
    assert.deepInclude(yield* Fiber.join(waiting), { _tag: "LocalNodeEnded", reason: "revoked" })
    const last = yield* join()
    yield* locals.revokeToken(token.id)
    assert.deepStrictEqual([(yield* topology).localNodes, yield* reasonOf(last.id)], [[], "revoked"])
    yield* (yield* Networks).remove(name, true)
    assert.strictEqual(yield* reasonOf(last.id), "NetworkNotFound")
  }))

  it.effect("ends when nobody renews it: by time, or by silence", () => Effect.gen(function*() {
    const { name, locals, machine, asAnn, join, topology } = yield* scene
    const sql = yield* SqlClient.SqlClient
    const { id } = yield* join()
    yield* locals.expire(new Date(0))
    assert.strictEqual((yield* topology).localNodes.length, 1)
    yield* locals.expire(new Date(Date.now() + 1000))
    assert.deepInclude(yield* locals.renew(name, id, machine, 0, 0).pipe(asAnn, Effect.flip), { _tag: "LocalNodeEnded", reason: "expired" })
    const again = yield* join()
    yield* sql`update local_nodes set expires_at = ${new Date(Date.now() - 1)} where id = ${again.id}`
    yield* locals.expire(new Date(0))
    assert.deepStrictEqual((yield* topology).localNodes, [])
  }))

  it.effect("an idle one is one whose machine has been silent for three minutes, however much of its hour is left; one that carries nothing goes on", () => Effect.gen(function*() {
    yield* TestClock.setTime(Date.now())
    const { name, locals, asAnn, join, topology } = yield* scene
    const [silent, idle] = [yield* machineId, yield* machineId]
    const ofSilent = yield* join(asAnn, silent), ofIdle = yield* join(asAnn, idle)
    yield* Layer.build(Layer.fresh(LocalNodeExpiry.layer))
    yield* TestClock.adjust("2 minutes")
    yield* locals.renew(name, ofIdle.id, idle, 0, 0).pipe(asAnn)
    yield* TestClock.adjust("1 minute")
    const here = Effect.map(topology, ({ localNodes }) => localNodes.map(({ id }) => id))
    assert.sameMembers(yield* here, [ofSilent.id, ofIdle.id])
    const aMoment = Effect.promise(() => delay(50)) // the database takes its time by no test's clock
    yield* Effect.andThen(TestClock.adjust("1 second"), Effect.andThen(aMoment, here)).pipe(Effect.repeat({ until: (now) => now.length < 2, times: 60 }))
    assert.deepStrictEqual(yield* here, [ofIdle.id])
    assert.deepInclude(yield* locals.renew(name, ofSilent.id, silent, 0, 0).pipe(asAnn, Effect.flip), { _tag: "LocalNodeEnded", reason: "expired" })
  }).pipe(Effect.scoped, Effect.provide(TestClock.layer())))

  it.effect("is put off by a renewal once half of its time is over, but never beyond its token's", () => Effect.gen(function*() {
    const { name, locals, machine, ann, join } = yield* scene
    const sql = yield* SqlClient.SqlClient
    const { token } = yield* (yield* Tokens).create("user", ann, 600)
    const asAnn = Effect.provideService(Principal, { name: ann, token: token.id })
    const { id, view } = yield* join(asAnn)
    assert.strictEqual(view.expiresAt, token.expiresAt)
    assert.strictEqual((yield* locals.renew(name, id, machine, 0, 0).pipe(asAnn)).expiresAt, token.expiresAt)
    yield* sql`update local_nodes set expires_at = ${new Date(Date.now() + 60_000)} where id = ${id}`
    assert.strictEqual((yield* locals.renew(name, id, machine, 0, 0).pipe(asAnn)).expiresAt, token.expiresAt)
  }))

  it.effect("a user joins so many machines and no more", () => Effect.gen(function*() {
    const { asAnn, join } = yield* scene
    for (let n = 0; n < mostPerUser; n++) yield* join(asAnn, yield* machineId)
    assert.strictEqual((yield* Effect.flip(join(asAnn, yield* machineId)))._tag, "TooManyLocalNodes")
  }))

  it.effect("nor when machines join several networks at the same moment", () => Effect.gen(function*() {
    const { ann, asAnn, locals } = yield* scene
    const names = Array.from({ length: mostPerUser + 4 }, () => network())
    for (const name of names) yield* (yield* Networks).create(name, "agent_proxy")
    const machine = yield* machineId
    const outcomes = yield* Effect.forEach(names, (name) => Effect.result(locals.join(name, machine, "laptop").pipe(asAnn)), { concurrency: "unbounded" })
    assert.deepStrictEqual(outcomes.flatMap((outcome) => outcome._tag === "Failure" ? [outcome.failure._tag] : []), Array.from({ length: 4 }, () => "TooManyLocalNodes"))
    const [row] = yield* (yield* SqlClient.SqlClient)<{ count: number }>`select count(*)::int as count from local_nodes where user_name = ${ann} and ended_at is null`
    assert.strictEqual(row!.count, mostPerUser)
  }))
})
