/** Questions about policy, and rules that end by themselves. */
import { assert } from "@effect/vitest"
import { Effect, Option, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import { Aliases } from "../../src/control/Aliases.ts"
import { Attachments } from "../../src/control/Attachments.ts"
import { Networks } from "../../src/control/Networks.ts"
import { Reachability } from "../../src/control/Reachability.ts"
import { Rules } from "../../src/control/Rules.ts"
import { Sandboxes } from "../../src/control/Sandboxes.ts"
import { Topologies } from "../../src/control/Topologies.ts"
import { allPorts } from "../../src/domain/DnsLabel.ts"
import { Principal } from "../../src/protocol/http/Authorization.ts"
import { onBothDatabases } from "./databases.ts"
import { alias, connect, fresh, network, port, ports, runSandbox } from "./fixture.ts"

/** `web` and `worker` (team blue), and `backend` with the alias `api` on ports 80 and 81. */
const scene = Effect.fnUntraced(function*() {
  const agent = yield* connect()
  const web = yield* runSandbox(agent, fresh("web"))
  const worker = yield* runSandbox(agent, fresh("worker"), { team: "blue" })
  const backend = yield* runSandbox(agent, fresh("backend"))
  const name = network()
  const { value } = yield* (yield* Networks).create(name, "agent_proxy")
  const attachments = yield* Attachments
  for (const { name: box } of [web, worker]) yield* attachments.attach(name, box, undefined, [])
  yield* attachments.attach(name, backend.name, alias("api"), [port(80), port(81)])
  const { explain, pairs } = yield* Reachability
  return {
    id: value.id, name, web, worker, backend, rules: yield* Rules, pairs: (only: Parameters<typeof pairs>[1]) => pairs(name, only),
    explain: (source: string, to = 80) => explain(name, { source, alias: alias("api"), port: port(to) })
  }
})

onBothDatabases("questions about policy", (it) => {
  it.effect("explain names the deciding rule, or what would allow it, and who changed that last", () => Effect.gen(function*() {
    const { name, web, rules, explain } = yield* scene()
    const source = `sandbox:${web.name}`
    const before = yield* explain(source)
    assert.strictEqual(before.verdict, "denied")
    assert.include(before.reason, "no rule names that alias and port")
    assert.strictEqual(before.wouldAllow, `gstacks network policy allow ${name} --from ${source} --to api --port 80`)
    assert.isNull(before.lastChange)

    const { value: rule, change } = yield* rules.allow(name, source, alias("api"), ports(80))
    const allowed = yield* explain(source)
    assert.deepStrictEqual([allowed.verdict, allowed.version, allowed.wouldAllow], ["allowed", change.version, null])
    assert.deepStrictEqual(allowed.rules, [rule])
    assert.deepStrictEqual(allowed.sandboxes, [{ id: web.id, name: web.name, rules: [rule.id] }])
    assert.deepStrictEqual([allowed.lastChange?.action, allowed.lastChange?.by, allowed.lastChange?.rule.id], ["rule.allow", "operator", rule.id])
    assert.strictEqual((yield* explain(source, 81)).verdict, "denied")

    yield* rules.revoke(name, rule.id)
    const after = yield* explain(source)
    assert.deepStrictEqual([after.verdict, after.lastChange?.action], ["denied", "rule.revoke"])
  }))

  it.effect("explain of a selector that stands for several says who lacks a rule", () => Effect.gen(function*() {
    const { name, worker, web, backend, rules, explain } = yield* scene()
    yield* rules.allow(name, "label:team=blue", alias("api"), ports(80))
    assert.strictEqual((yield* explain("label:team=blue")).verdict, "allowed")
    const any = yield* explain("any")
    assert.strictEqual(any.verdict, "denied")
    assert.include(any.reason, `sandbox:${web.name}, sandbox:${backend.name}`)
    assert.deepStrictEqual(any.sandboxes.filter((box) => box.rules.length > 0).map((box) => box.id), [worker.id])
    assert.include((yield* explain(`sandbox:${web.name}`)).reason, "its rules are for label:team=blue")
    const stranger = yield* runSandbox({ name: backend.agent })
    const unattached = yield* explain(`sandbox:${stranger.name}`)
    assert.deepStrictEqual([unattached.verdict, unattached.wouldAllow], ["denied", `gstacks network attach ${name} ${stranger.name}`])
    assert.strictEqual((yield* Effect.flip(explain("what:ever")))._tag, "InvalidSelector")
    assert.strictEqual((yield* Effect.flip(explain("any", 82)))._tag, "PortNotPublished")
  }))

  it.effect("what a selector that covers nobody needs is an attachment, not a rule", () => Effect.gen(function*() {
    const { name, explain } = yield* scene()
    const nobody = yield* explain("label:team=none")
    assert.deepStrictEqual([nobody.verdict, nobody.wouldAllow], ["denied", `gstacks network attach ${name} <sandbox>`])
  }))

  it.effect("the rules of an alias that is gone are nothing that changed about another one of its name", () => Effect.gen(function*() {
    const { name, web, backend, rules, explain } = yield* scene()
    const source = `sandbox:${web.name}`
    yield* rules.allow(name, source, alias("api"), ports(80))
    assert.strictEqual((yield* explain(source)).lastChange?.action, "rule.allow")
    const aliases = yield* Aliases
    yield* aliases.remove(name, "api")
    yield* aliases.add(name, backend.name, alias("api"), [port(80)])
    const anew = yield* explain(source)
    assert.deepStrictEqual([anew.verdict, anew.lastChange], ["denied", null])
    const { value } = yield* rules.allow(name, source, alias("api"), ports(80))
    yield* rules.revoke(name, value.id)
    assert.strictEqual((yield* explain(source)).lastChange?.rule.id, value.id)
  }))

  it.effect("a rule that goes with what it was bound to is told of as one that was revoked: by whom, and what took it along", () => Effect.gen(function*() {
    const { id, name, web, worker, backend, rules, explain } = yield* scene()
    const aliases = yield* Aliases
    const attachments = yield* Attachments
    const networks = yield* Networks
    const sql = yield* SqlClient.SqlClient
    /** Takes the rules away, and tells what audit then says of each, in the order of the rules. */
    const ended = <E, R>(change: Effect.Effect<unknown, E, R>) => Effect.gen(function*() {
      const before = yield* rules.list(name)
      const { version } = yield* networks.show(name)
      yield* change.pipe(Effect.provideService(Principal, { name: "ann" }))
      const entries = yield* sql<{ actor: string; detail: { id: string; from: string; because: string } }>`
        select actor, detail from audit_log where network_id = ${id} and action = 'rule.end' and version = ${version + 1} order by detail->>'id'`
      const left = new Set((yield* rules.list(name).pipe(Effect.orElseSucceed(() => []))).map((rule) => rule.id))
      assert.deepStrictEqual(entries.map(({ detail }) => detail.id as string), before.map((rule) => rule.id as string).filter((rule) => !left.has(rule as never)))
      assert.isTrue(entries.every(({ actor }) => actor === "ann"))
      return entries.map(({ detail }) => `${detail.from}, ${detail.because}`)
    })
    const last = (source: string, to?: number) => Effect.map(explain(source, to), ({ lastChange }) => [lastChange?.action, lastChange?.by, lastChange?.because])

    yield* rules.allow(name, "any", alias("api"), ports(81))
    yield* rules.allow(name, "any", alias("api"), allPorts)
    assert.deepStrictEqual(yield* ended(aliases.remove(name, "api", port(81))), [`any, port 81 of alias "api" was removed`], "the rule for all ports stays")
    yield* aliases.add(name, backend.name, alias("api"), [port(81)])
    assert.deepStrictEqual(yield* last("any", 81), ["rule.end", "ann", `port 81 of alias "api" was removed`])

    yield* aliases.add(name, web.name, alias("front"), [port(80)])
    yield* rules.allow(name, "front", alias("api"), ports(80))
    assert.deepStrictEqual(yield* ended(aliases.remove(name, "front")), [`alias:front, alias "front" was removed`])
    assert.deepStrictEqual(yield* last("any"), ["rule.end", "ann", `alias "front" was removed`])

    yield* aliases.add(name, web.name, alias("front"), [port(80)])
    yield* rules.allow(name, "front", alias("api"), ports(80))
    yield* rules.allow(name, `sandbox:${web.name}`, alias("api"), ports(80))
    assert.deepStrictEqual(yield* ended(attachments.detach(name, web.name)), [`alias:front, sandbox "${web.name}" was detached`], "what is bound to the sandbox stays")
    assert.deepStrictEqual(yield* ended((yield* Sandboxes).remove(web.name)), [`sandbox:${web.name}, sandbox "${web.name}" was removed`])
    assert.deepStrictEqual(yield* last(`sandbox:${worker.name}`), ["rule.end", "ann", `sandbox "${web.name}" was removed`])

    yield* rules.allow(name, `sandbox:${worker.name}`, alias("api"), ports(80))
    assert.deepStrictEqual(yield* ended(networks.remove(name, true)), [`any, network "${name}" was deleted`, `sandbox:${worker.name}, network "${name}" was deleted`])
  }))

  it.effect("who can and what can, joined machines of one user apart from everybody's", () => Effect.gen(function*() {
    const { name, web, worker, backend, rules, pairs } = yield* scene()
    yield* (yield* Aliases).add(name, backend.name, alias("db"), [port(5432)])
    yield* rules.allow(name, "any", alias("api"), ports(80))
    yield* rules.allow(name, "local:ann", alias("api"), ports(80))
    yield* rules.allow(name, `sandbox:${web.name}`, alias("db"), allPorts)
    const who = yield* pairs({ alias: alias("api"), port: port(80) })
    assert.deepStrictEqual(who.map(({ source }) => source), ["local:ann", `sandbox:${web.name}`, `sandbox:${worker.name}`, `sandbox:${backend.name}`])
    const what = yield* pairs({ source: `sandbox:${web.name}` })
    assert.deepStrictEqual(what.map((reach) => `${reach.hostName}:${reach.port} ${reach.target}`), [`api.${name}.gstacks:80 ${backend.name}`, `db.${name}.gstacks:5432 ${backend.name}`])
    assert.deepStrictEqual((yield* pairs({ source: "local:ann" })).map((reach) => reach.alias), [alias("api")])
    assert.deepStrictEqual(yield* pairs({ source: "local:bob" }), [])
    assert.deepStrictEqual(yield* pairs({ source: "local" }), [])
    assert.strictEqual((yield* Effect.flip(pairs({ alias: alias("nope"), port: port(80) })))._tag, "AliasNotFound")
  }))
})

onBothDatabases("terms of rules", (it) => {
  it.effect("a range opens what the alias publishes, and outlives a single port of it", () => Effect.gen(function*() {
    const { id, name, rules, explain } = yield* scene()
    const aliases = yield* Aliases
    const { value: range } = yield* rules.allow(name, "any", alias("api"), ports(80, 90))
    assert.deepStrictEqual([range.ports, range.port as number, range.lastPort as number], ["80-90", 80, 90])
    assert.strictEqual((yield* explain("any", 81)).verdict, "allowed")
    yield* aliases.remove(name, "api", port(81))
    assert.deepStrictEqual((yield* rules.list(name)).map((rule) => rule.id), [range.id])
    const topology = Option.getOrThrow(yield* (yield* Topologies).load(id))
    assert.deepStrictEqual(topology.rules.map(({ port, lastPort }) => [port as number, lastPort as number]), [[80, 90]])
    assert.strictEqual((yield* rules.allow(name, "any", alias("api"), allPorts)).value.ports, "all")
    assert.strictEqual((yield* Effect.flip(rules.allow(name, "any", alias("api"), ports(85, 90))))._tag, "PortNotPublished")
    assert.strictEqual((yield* Effect.flip(rules.allow(name, "any", alias("api"), ports(90, 80))))._tag, "InvalidRequest")
    yield* aliases.remove(name, "api")
    assert.deepStrictEqual(yield* rules.list(name), [])
  }))

  it.effect("allowing again renews the end and the comment of the same rule", () => Effect.gen(function*() {
    const { name, rules } = yield* scene()
    const first = (yield* rules.allow(name, "any", alias("api"), ports(80), { forSeconds: 3600, comment: "migration" })).value
    assert.strictEqual(first.comment, "migration")
    assert.closeTo(Date.parse(first.expiresAt!), Date.now() + 3_600_000, 60_000)
    const again = (yield* rules.allow(name, "any", alias("api"), ports(80))).value
    assert.deepStrictEqual(again, { ...first, expiresAt: null, comment: null })
  }))

  it.effect("a rule whose time is over leaves lists and topology by itself, and explain says so", () => Effect.gen(function*() {
    const { id, name, rules, explain } = yield* scene()
    const { value: rule } = yield* rules.allow(name, "any", alias("api"), ports(80), { forSeconds: 1 })
    const kept = (yield* rules.allow(name, "any", alias("api"), ports(81), { forSeconds: 3600 })).value
    const topologies = yield* Topologies
    const told = Option.getOrThrow(yield* topologies.load(id))
    assert.deepStrictEqual(told.rules.map(({ expiresAt }) => expiresAt), [rule, kept].map(({ expiresAt }) => Date.parse(expiresAt!)))
    yield* Effect.repeat(rules.list(name), { until: (left) => left.length === 1, schedule: Schedule.spaced("20 millis") })
    assert.deepStrictEqual(Option.getOrThrow(yield* topologies.load(id)).rules.map((left) => left.id), [kept.id])
    const after = yield* explain("any")
    assert.deepStrictEqual([after.verdict, after.version, after.lastChange?.action, after.lastChange?.by], ["denied", told.version + 1, "rule.expire", "the rule's end"])
    const [entries] = yield* (yield* SqlClient.SqlClient)<{ count: number }>`select count(*)::int as count from audit_log where action = 'rule.expire' and network_id = ${id}`
    assert.strictEqual(entries!.count, 1)
  }))
})
