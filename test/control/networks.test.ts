import { assert } from "@effect/vitest"
import { Effect, Option } from "effect"
import { SqlClient } from "effect/sql"
import { Aliases } from "../../src/control/Aliases.ts"
import { Attachments } from "../../src/control/Attachments.ts"
import { Networks } from "../../src/control/Networks.ts"
import { Rules } from "../../src/control/Rules.ts"
import { Sandboxes } from "../../src/control/Sandboxes.ts"
import { Topologies } from "../../src/control/Topologies.ts"
import { NetworkName } from "../../src/domain/DnsLabel.ts"
import { onBothDatabases } from "./databases.ts"
import { alias, connect, fresh, network, port, ports, runSandbox } from "./fixture.ts"

const scene = Effect.fnUntraced(function*() {
  const agent = yield* connect()
  const web = yield* runSandbox(agent, fresh("web"))
  const backend = yield* runSandbox(agent, fresh("backend"))
  const name = network()
  const { value } = yield* (yield* Networks).create(name, "agent_proxy")
  return { agent, web, backend, name, id: value.id }
})

onBothDatabases("networks, aliases and rules", (it) => {
  it.effect("a network's life: create, attach, allow, revoke, detach, remove; each step is one version", () => Effect.gen(function*() {
    const networks = yield* Networks
    const attachments = yield* Attachments
    const rules = yield* Rules
    const { name, id, web, backend } = yield* scene()
    assert.strictEqual((yield* networks.show(name)).version, 1)
    assert.strictEqual((yield* attachments.attach(name, web.name, undefined, [])).change.version, 2)
    const attached = yield* attachments.attach(name, backend.id, alias("api"), [port(8080), port(9090)])
    assert.deepStrictEqual(attached.value.aliases, [alias("api")])
    const allowed = yield* rules.allow(name, `sandbox:${web.name}`, alias("api"), ports(8080))
    assert.strictEqual(allowed.value.from, `sandbox:${web.name}`)
    const topology = Option.getOrThrow(yield* (yield* Topologies).load(id))
    assert.strictEqual(topology.version, 4)
    assert.deepStrictEqual(topology.rules[0]!.source, { _tag: "Sandbox", sandboxId: web.id })
    assert.deepStrictEqual(topology.aliases[0]!.ports, [port(8080), port(9090)])
    assert.deepStrictEqual(topology.members.map((member) => member.id), [web.id, backend.id])
    assert.deepStrictEqual(yield* networks.show(name).pipe(Effect.map(({ attachments, aliases, rules }) => [attachments, aliases, rules])), [2, 1, 1])
    yield* rules.revoke(name, allowed.value.id)
    assert.deepStrictEqual(yield* rules.list(name), [])
    yield* attachments.detach(name, backend.name)
    yield* attachments.detach(name, web.name)
    const removed = yield* networks.remove(name, false)
    assert.strictEqual(removed.change.version, 8)
    assert.strictEqual((yield* networks.show(name).pipe(Effect.flip))._tag, "NetworkNotFound")
    assert.isTrue(Option.isNone(yield* (yield* Topologies).load(id)))
    assert.strictEqual((yield* networks.create(name, "agent_proxy")).value.version, 1)
  }))

  it.effect("not-found problems suggest the likely name", () => Effect.gen(function*() {
    const { web, name } = yield* scene()
    const problem = yield* (yield* Networks).show(`${name}x`).pipe(Effect.flip)
    assert.include(problem.hint, `Did you mean "${name}"`)
    const sandbox = yield* (yield* Attachments).attach(name, `${web.name}s`, undefined, []).pipe(Effect.flip)
    assert.strictEqual(sandbox._tag, "SandboxNotFound")
    assert.include(sandbox.hint, `Did you mean "${web.name}"`)
  }))

  it.effect("bad input is refused with nothing half done", () => Effect.gen(function*() {
    const networks = yield* Networks
    const attachments = yield* Attachments
    const aliases = yield* Aliases
    const rules = yield* Rules
    const { web, backend, name } = yield* scene()
    const refused = <A, E extends { readonly _tag: string; readonly hint: string }, R>(effect: Effect.Effect<A, E, R>) =>
      Effect.map(Effect.flip(effect), (problem) => {
        assert.isAbove(problem.hint.length, 0)
        return problem._tag
      })
    assert.strictEqual(yield* refused(networks.create(name, "agent_proxy")), "NetworkExists")
    assert.strictEqual(yield* refused(networks.create(network(), "routed_mesh")), "ModeNotSupported")
    assert.strictEqual(yield* refused(networks.create(NetworkName.make("infra"), "agent_proxy")), "ReservedNetwork")
    assert.strictEqual(yield* refused(attachments.attach(name, web.name, undefined, [port(80)])), "InvalidRequest")
    assert.strictEqual(yield* refused(attachments.attach(name, web.name, alias("api"), [])), "InvalidRequest")
    assert.strictEqual(yield* refused(attachments.attach(name, web.name, alias("local"), [port(80)])), "ReservedAlias")
    assert.strictEqual(yield* refused(attachments.detach(name, web.name)), "NotAttached")
    assert.strictEqual(yield* refused(aliases.add(name, web.name, alias("api"), [port(80)])), "NotAttached")
    assert.strictEqual(yield* refused(aliases.remove(name, "api")), "AliasNotFound")
    assert.strictEqual((yield* networks.show(name)).version, 1)
    yield* attachments.attach(name, web.name, alias("api"), [port(80)])
    assert.strictEqual(yield* refused(attachments.attach(name, backend.name, alias("api"), [port(80)])), "AliasTaken")
    assert.strictEqual(yield* refused(rules.allow(name, "local", alias("api"), ports(81))), "PortNotPublished")
    assert.strictEqual(yield* refused(rules.allow(name, "what:ever", alias("api"), ports(80))), "InvalidSelector")
    assert.strictEqual(yield* refused(rules.revoke(name, "rul_nothing")), "RuleNotFound")
    assert.strictEqual(yield* refused(networks.remove(name, false)), "NetworkNotEmpty")
    assert.strictEqual((yield* networks.show(name)).version, 2)
    assert.strictEqual((yield* networks.show(name)).attachments, 1)
  }))

  it.effect("of two concurrent creates of one alias, one wins and the other is told by which sandbox", () => Effect.gen(function*() {
    const attachments = yield* Attachments
    const { web, backend, name } = yield* scene()
    const results = yield* Effect.forEach([web, backend], (sandbox) => Effect.result(attachments.attach(name, sandbox.name, alias("api"), [port(80)])), { concurrency: 2 })
    const won = results.findIndex((result) => result._tag === "Success")
    const lost = results[1 - won]!
    assert.strictEqual(lost._tag, "Failure")
    if (lost._tag === "Failure" && lost.failure._tag === "AliasTaken") assert.strictEqual(lost.failure.sandbox, [web, backend][won]!.name)
    else assert.fail("expected AliasTaken")
  }))

  it.effect("a port takes the rules that named it, the last port the alias; moving keeps id, address and rules", () => Effect.gen(function*() {
    const attachments = yield* Attachments
    const aliases = yield* Aliases
    const rules = yield* Rules
    const { web, backend, name } = yield* scene()
    yield* attachments.attach(name, web.name, undefined, [])
    yield* attachments.attach(name, backend.name, alias("api"), [port(80), port(81)])
    yield* rules.allow(name, "any", alias("api"), ports(80))
    yield* rules.allow(name, "*", alias("api"), ports(81))
    yield* aliases.remove(name, "api", port(80))
    assert.deepStrictEqual((yield* rules.list(name)).map((rule) => [rule.from, rule.port as number]), [["any", 81]])
    const [before] = yield* aliases.list(name)
    const moved = yield* aliases.move(name, "api", web.name)
    assert.deepStrictEqual(moved.value, { ...before!, sandboxId: web.id, sandbox: web.name })
    assert.strictEqual((yield* rules.list(name)).length, 1)
    yield* rules.allow(name, "api", alias("api"), ports(81))
    yield* aliases.remove(name, "api", port(81))
    assert.deepStrictEqual(yield* aliases.list(name), [])
    assert.deepStrictEqual(yield* rules.list(name), [])
  }))

  it.effect("allowing again what is allowed answers the rule that says so", () => Effect.gen(function*() {
    const { web, name } = yield* scene()
    yield* (yield* Attachments).attach(name, web.name, alias("api"), [port(80)])
    const rules = yield* Rules
    const first = yield* rules.allow(name, "label:team=blue", alias("api"), ports(80))
    assert.strictEqual((yield* rules.allow(name, "label:team=blue", alias("api"), ports(80))).value.id, first.value.id)
  }))

  it.effect("a removed sandbox takes its aliases, the rules that named them and the rules bound to it; label rules stay", () => Effect.gen(function*() {
    const attachments = yield* Attachments
    const rules = yield* Rules
    const { web, backend, name } = yield* scene()
    yield* attachments.attach(name, web.name, alias("web"), [port(80)])
    yield* attachments.attach(name, backend.name, alias("api"), [port(80)])
    yield* rules.allow(name, `sandbox:${web.name}`, alias("api"), ports(80))
    yield* rules.allow(name, "web", alias("api"), ports(80))
    yield* rules.allow(name, "label:app=web", alias("api"), ports(80))
    yield* rules.allow(name, "any", alias("web"), ports(80))
    const { changes } = yield* (yield* Sandboxes).remove(web.name)
    assert.strictEqual(changes.length, 1)
    assert.deepStrictEqual((yield* rules.list(name)).map((rule) => rule.from), ["label:app=web"])
    assert.deepStrictEqual((yield* attachments.list(name)).map((attachment) => attachment.sandbox), [backend.name])
    yield* runSandbox({ name: backend.agent }, web.name)
    assert.deepStrictEqual((yield* rules.list(name)).length, 1)
  }))

  it.effect("cascade removes everything and leaves tombstones; an address is not given to another alias for seven days", () => Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const networks = yield* Networks
    const attachments = yield* Attachments
    const aliases = yield* Aliases
    const { web, name } = yield* scene()
    yield* attachments.attach(name, web.name, alias("api"), [port(80)])
    const [first] = yield* aliases.list(name)
    yield* networks.remove(name, true)
    yield* networks.create(name, "agent_proxy")
    yield* attachments.attach(name, web.name, alias("api"), [port(80)])
    const [second] = yield* aliases.list(name)
    assert.notStrictEqual(second!.address, first!.address)
    yield* networks.remove(name, true)
    yield* sql`update virtual_addresses set released_at = released_at - interval '8 days' where address in ${sql.in([first!.address, second!.address])}`
    yield* networks.create(name, "agent_proxy")
    yield* attachments.attach(name, web.name, alias("api"), [port(80)])
    assert.strictEqual((yield* aliases.list(name))[0]!.address, first!.address)
  }))

  it.effect("every change is in the audit log, with who made it and the version", () => Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const { web, name, id } = yield* scene()
    yield* (yield* Attachments).attach(name, web.name, undefined, [])
    const entries = yield* sql`select actor, action, version from audit_log where network_id = ${id} order by id`
    assert.deepStrictEqual(entries, [
      { actor: "operator", action: "network.create", version: 1 }, { actor: "operator", action: "network.attach", version: 2 }
    ])
  }))
})
