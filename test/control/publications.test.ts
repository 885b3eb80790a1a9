import { assert } from "@effect/vitest"
import { Effect, Option, SubscriptionRef } from "effect"
import { SqlClient } from "effect/sql"
import { Aliases } from "../../src/control/Aliases.ts"
import { Attachments } from "../../src/control/Attachments.ts"
import { LocalNodes } from "../../src/control/LocalNodes.ts"
import { Mesh } from "../../src/control/Mesh.ts"
import { Networks } from "../../src/control/Networks.ts"
import { Policies } from "../../src/control/Policies.ts"
import { Publications } from "../../src/control/Publications.ts"
import { Publishers } from "../../src/control/Publishers.ts"
import { Reachability } from "../../src/control/Reachability.ts"
import { Rules } from "../../src/control/Rules.ts"
import { Tokens } from "../../src/control/Tokens.ts"
import { Topologies } from "../../src/control/Topologies.ts"
import { MachineId, makeId } from "../../src/domain/Ids.ts"
import { mostPerUser } from "../../src/domain/Publication.ts"
import { Principal } from "../../src/protocol/http/Authorization.ts"
import { fakeHeadscale } from "../harness/fakeHeadscale.ts"
import { onBothDatabases } from "./databases.ts"
import { alias, connect, fresh, network, port, ports, runSandbox } from "./fixture.ts"

const laptop = alias("laptop-api")

/** A network with the sandboxes `web` (which publishes `web`) and `other`, and ann's machine, which has joined it; ann may publish. */
const scene = Effect.gen(function*() {
  const headscale = fakeHeadscale()
  yield* SubscriptionRef.set((yield* Mesh).current, Option.some(headscale.api))
  const agent = yield* connect()
  const [web, other] = [yield* runSandbox(agent, fresh("web")), yield* runSandbox(agent, fresh("other"))]
  const name = network()
  const { value: { id: networkId } } = yield* (yield* Networks).create(name, "agent_proxy")
  yield* (yield* Attachments).attach(name, web.name, alias("web"), [port(80)])
  yield* (yield* Attachments).attach(name, other.name, undefined, [])
  const ann = fresh("ann")
  const { token } = yield* (yield* Tokens).create("user", ann)
  const asAnn = Effect.provideService(Principal, { name: ann, token: token.id })
  const machine = yield* makeId(MachineId, "mch")
  const locals = yield* LocalNodes, publications = yield* Publications, publishers = yield* Publishers
  const join = Effect.gen(function*() {
    const granted = yield* locals.join(name, machine, "laptop").pipe(asAnn)
    const node = headscale.enter(granted.grant.authKey)
    yield* locals.joined(name, granted.id, machine).pipe(asAnn)
    return { id: granted.id, machine, node }
  })
  const from = yield* join
  yield* publishers.allow(name, ann)
  const publish = (wish: Partial<Parameters<typeof publications.publish>[2]> = {}, by: typeof from = from) =>
    Effect.map(publications.publish(name, by, { alias: laptop, port: port(3000), forSeconds: 3600, ...wish }).pipe(asAnn), ({ value }) => value)
  const topology = Effect.map((yield* Topologies).load(networkId), Option.getOrThrow)
  const published = Effect.map(topology, ({ aliases }) => aliases.filter((one) => one.local !== undefined))
  const sql = yield* SqlClient.SqlClient
  const actions = Effect.map(sql<{ action: string; actor: string }>`select action, actor from audit_log where network_id = ${networkId} order by id`, (rows) => rows.map(({ action }) => action))
  return { name, networkId, web, other, ann, asAnn, token, from, locals, publications, publishers, join, publish, topology, published, actions, sql }
})

onBothDatabases("published ports", (it) => {
  it.effect("is a right of its own, network by network and user by user; the alias is the machine's, until a time, and audit tells of both", () => Effect.gen(function*() {
    const { actions, ann, from, name, publish, published, publishers } = yield* scene
    yield* publishers.revoke(name, ann)
    const refused = yield* Effect.flip(publish())
    assert.deepInclude(refused, { _tag: "PublishingNotAllowed", hint: `Have it allowed: gstacks network publisher allow ${name} ${ann}` })
    assert.strictEqual((yield* Effect.flip(publishers.revoke(name, ann)))._tag, "PublisherNotFound")
    yield* publishers.allow(name, ann)
    assert.deepStrictEqual((yield* publishers.list(name)).map(({ user }) => user), [ann])
    const { local, sandbox, agent, id } = yield* publish()
    assert.deepStrictEqual([local?.user, local?.machine, local?.id, sandbox, agent], [ann, "laptop", from.id, null, null])
    const [told] = yield* published
    assert.deepStrictEqual([told?.id, told?.ports, told?.local], [id, [3000], { nodeId: from.id, expiresAt: Date.parse(local!.expiresAt) }] as unknown)
    assert.includeMembers([...yield* actions], ["publisher.allow", "publisher.revoke", "local.publish"])
  }))

  it.effect("belongs to its machine: no other publishes, moves or ends it; publishing again sets the end, and another port is another alias", () => Effect.gen(function*() {
    const { asAnn, from, name, other, publications, publish, published, web } = yield* scene
    const first = yield* publish()
    const again = yield* publish({ forSeconds: 7200 })
    assert.strictEqual(again.id, first.id)
    assert.isAbove(Date.parse(again.local!.expiresAt), Date.parse(first.local!.expiresAt))
    assert.strictEqual((yield* Effect.flip(publish({ port: port(3001) })))._tag, "PublishedFromMachine")
    assert.strictEqual((yield* Effect.flip(publish({ alias: alias("web") })))._tag, "AliasTaken")
    assert.strictEqual((yield* Effect.flip(publish({ alias: alias("local") })))._tag, "ReservedAlias")
    const aliases = yield* Aliases
    assert.strictEqual((yield* Effect.flip(aliases.add(name, other.name, laptop, [port(1)])))._tag, "AliasTaken")
    assert.strictEqual((yield* Effect.flip(aliases.move(name, laptop, other.name)))._tag, "PublishedFromMachine")
    const bob = Effect.provideService(Principal, { name: "bob" })
    assert.strictEqual((yield* publications.unpublish(name, from, laptop).pipe(bob, Effect.flip))._tag, "LocalNodeNotFound")
    assert.strictEqual((yield* publications.unpublish(name, from, "web").pipe(asAnn, Effect.flip))._tag, "AliasNotFound")
    assert.deepStrictEqual((yield* published).map(({ ports }) => ports), [[3000]] as unknown)
    assert.strictEqual((yield* aliases.resolve(name, "web")).sandbox, web.name)
    yield* publications.unpublish(name, from, laptop).pipe(asAnn)
    assert.isEmpty(yield* published)
  }))

  it.effect("ends by unpublishing, an operator, revocation of the right, of the token and of the join, a newer join and leaving, each time with its rules, and audit tells why", () => Effect.gen(function*() {
    const { ann, asAnn, from, join, locals, name, networkId, publications, publish, published, publishers, sql, token, topology, web } = yield* scene
    const rules = yield* Rules
    const live = (by: typeof from) => Effect.gen(function*() {
      yield* publish({}, by)
      yield* rules.allow(name, `sandbox:${web.name}`, laptop, ports(3000))
      assert.strictEqual((yield* published).length, 1)
    })
    const isOver = Effect.gen(function*() {
      assert.isEmpty(yield* published)
      assert.isEmpty((yield* topology).rules)
    })
    yield* live(from)
    yield* publications.unpublish(name, from, laptop).pipe(asAnn)
    yield* isOver
    yield* live(from)
    yield* (yield* Aliases).remove(name, laptop)
    yield* isOver
    yield* live(from)
    yield* publishers.revoke(name, ann)
    yield* isOver
    yield* publishers.allow(name, ann)
    yield* live(from)
    const second = yield* join
    yield* isOver
    assert.strictEqual((yield* Effect.flip(publish({}, from)))._tag, "LocalNodeEnded")
    yield* live(second)
    yield* locals.end(name, second.id, second.machine).pipe(asAnn)
    yield* isOver
    const third = yield* join
    yield* live(third)
    yield* locals.end(name, third.id, undefined)
    yield* isOver
    const fourth = yield* join
    yield* live(fourth)
    yield* locals.revokeToken(token.id)
    yield* isOver
    const told = (action: string) => Effect.map(sql<{ detail: { because: string } }>`select detail from audit_log where network_id = ${networkId} and action = ${action} order by id`,
      (entries) => entries.map(({ detail }) => detail.because))
    const [unpublished, removed, ...withSomethingElse] = yield* told("rule.end")
    assert.deepStrictEqual([unpublished, removed], [`alias "${laptop}" was unpublished`, `alias "${laptop}" was removed`])
    const machine = `the join of ${ann}'s machine "laptop"`
    assert.deepStrictEqual(withSomethingElse, [
      `${ann} is a publisher no more`, `${machine} was replaced by a newer join of the same machine`, `${machine} has left`, `${machine} was revoked`, `${machine} was revoked`
    ])
    assert.deepStrictEqual(yield* told("alias.end"), withSomethingElse)
  }))

  it.effect("goes with its network, which is not empty while it is there", () => Effect.gen(function*() {
    const { name, other, publish, sql, web } = yield* scene
    const { id } = yield* publish()
    for (const box of [web, other]) yield* (yield* Attachments).detach(name, box.name)
    const networks = yield* Networks
    assert.strictEqual((yield* Effect.flip(networks.remove(name, false)))._tag, "NetworkNotEmpty")
    yield* networks.remove(name, true)
    assert.isEmpty(yield* sql`select 1 from aliases where id = ${id}`)
    assert.isEmpty(yield* sql`select 1 from virtual_addresses where alias_id = ${id}`)
  }))

  it.effect("ends on time: for whoever asks at once, and in the books soon after", () => Effect.gen(function*() {
    const { actions, asAnn, from, locals, name, publications, publish, published, sql, topology, web } = yield* scene
    const { id } = yield* publish()
    yield* (yield* Rules).allow(name, `sandbox:${web.name}`, laptop, ports(3000))
    const reachability = yield* Reachability
    const pairs = Effect.map(reachability.pairs(name, { alias: laptop }), (all) => all.map(({ source, target }) => [source, target]))
    const asked = { source: `sandbox:${web.name}`, alias: laptop, port: port(3000) }
    assert.deepStrictEqual(yield* pairs, [[`sandbox:${web.name}`, `local:${(yield* topology).localNodes[0]!.user}`]])
    assert.strictEqual((yield* reachability.explain(name, asked)).verdict, "allowed")
    yield* publications.expire
    assert.strictEqual((yield* published).length, 1)
    yield* sql`update aliases set expires_at = ${new Date(Date.now() - 1)} where id = ${id}`
    assert.isEmpty(yield* pairs)
    assert.strictEqual((yield* reachability.explain(name, asked)).verdict, "denied")
    yield* publications.expire
    assert.isEmpty(yield* published)
    assert.strictEqual((yield* actions).at(-1), "local.unpublish")
    assert.strictEqual((yield* locals.renew(name, from.id, from.machine, 0, 0).pipe(asAnn)).topology?.localNodes.length, 1, "the join goes on")
  }))

  it.effect("its machine is told of those whom rules let in and of their agents, and of nobody else", () => Effect.gen(function*() {
    const { asAnn, from, locals, name, other, publish, web } = yield* scene
    yield* publish()
    const told = Effect.map(locals.renew(name, from.id, from.machine, 0, 0).pipe(asAnn), ({ topology }) => topology!)
    const quiet = yield* told
    assert.deepStrictEqual([quiet.aliases.map((one) => one.name), quiet.members, quiet.agents], [[laptop], [], []] as unknown)
    const rules = yield* Rules
    yield* rules.allow(name, "alias:web", laptop, ports(3000))
    yield* rules.allow(name, `sandbox:${other.name}`, alias("web"), ports(80))
    const after = yield* told
    assert.deepStrictEqual(after.members.map((member) => member.name), [web.name])
    assert.deepStrictEqual([after.aliases.map((one) => one.name).sort(), after.agents.length, after.rules.length], [[laptop, alias("web")], 1, 1] as unknown)
  }))

  it.effect("is a target of rules and limits, but no source, and one machine does not reach another: neither by a rule nor by a policy document", () => Effect.gen(function*() {
    const { name, publish } = yield* scene
    yield* publish()
    const rules = yield* Rules, policies = yield* Policies, reachability = yield* Reachability
    for (const [from, to] of [["laptop-api", "web"], ["local", "laptop-api"], ["local:bob", "laptop-api"]] as const) {
      const [at, number] = [alias(to), to === "web" ? 80 : 3000]
      assert.strictEqual((yield* Effect.flip(rules.allow(name, from, at, ports(number))))._tag, "InvalidSelector", `${from} -> ${to}`)
      const refused = yield* Effect.flip(policies.apply(name, { rules: [{ from, to: at, ports: String(number) }] }))
      assert.deepStrictEqual(refused._tag === "InvalidPolicy" ? refused.errors.map(({ path }) => path) : refused._tag, [["rules", 0, "from"]])
    }
    const { reason, verdict, wouldAllow } = yield* reachability.explain(name, { source: "local", alias: laptop, port: port(3000) })
    assert.deepStrictEqual([verdict, wouldAllow], ["denied", null])
    assert.include(reason, "does not reach another")
  }))

  it.effect("a user publishes so many ports and no more", () => Effect.gen(function*() {
    const { publish } = yield* scene
    for (let n = 0; n < mostPerUser; n++) yield* publish({ alias: alias(`p${n}`), port: port(3000 + n) })
    assert.strictEqual((yield* Effect.flip(publish({ alias: alias("more"), port: port(4000) })))._tag, "TooManyPublished")
    yield* publish({ alias: alias("p0"), port: port(3000) })
  }))
})
