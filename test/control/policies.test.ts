/** A network's rules as a document, and what changes would do before they are made. */
import { assert } from "@effect/vitest"
import { Effect, Option } from "effect"
import { SqlClient } from "effect/sql"
import { Aliases } from "../../src/control/Aliases.ts"
import { Attachments } from "../../src/control/Attachments.ts"
import { Networks } from "../../src/control/Networks.ts"
import { Policies } from "../../src/control/Policies.ts"
import { Previews } from "../../src/control/Previews.ts"
import { Reachability } from "../../src/control/Reachability.ts"
import { Rules } from "../../src/control/Rules.ts"
import { Topologies } from "../../src/control/Topologies.ts"
import type { PolicyDiff } from "../../src/domain/PolicyDiff.ts"
import type { PolicyRule } from "../../src/domain/PolicyFile.ts"
import { onBothDatabases } from "./databases.ts"
import { alias, connect, fresh, network, port, ports, runSandbox } from "./fixture.ts"

/** `web` (team blue), `worker`, and `backend` with the alias `api` on ports 80 and 81. */
const scene = Effect.fnUntraced(function*() {
  const agent = yield* connect()
  const web = yield* runSandbox(agent, fresh("web"), { team: "blue" })
  const worker = yield* runSandbox(agent, fresh("worker"))
  const backend = yield* runSandbox(agent, fresh("backend"))
  const name = network()
  const { value } = yield* (yield* Networks).create(name, "agent_proxy")
  const attachments = yield* Attachments
  for (const { name: box } of [web, worker]) yield* attachments.attach(name, box, undefined, [])
  yield* attachments.attach(name, backend.name, alias("api"), [port(80), port(81)])
  const policies = yield* Policies
  const topologies = yield* Topologies
  return {
    id: value.id, name, web, worker, backend, attachments, rules: yield* Rules, aliases: yield* Aliases, previews: yield* Previews,
    show: policies.show(name),
    apply: (rules: ReadonlyArray<PolicyRule>, ifVersion?: number) => policies.apply(name, { rules }, ifVersion),
    topology: Effect.map(topologies.load(value.id), Option.getOrThrow)
  }
})

const rule = (from: string, to: string, ports: string, terms: Pick<PolicyRule, "expiresAt" | "comment"> = {}): PolicyRule => ({ from, to: alias(to), ports, ...terms })
const brief = ({ from, to, ports }: Pick<PolicyRule, "from" | "to" | "ports">) => `${from} ${to}:${ports}`
const pairs = ({ pairs: { gained, lost } }: PolicyDiff) =>
  [...gained.map((pair) => ({ sign: "+", ...pair })), ...lost.map((pair) => ({ sign: "-", ...pair }))].map(({ sign, source, alias: to, port: at, target }) => `${sign} ${source} ${to}:${at} ${target}`)

onBothDatabases("a policy document", (it) => {
  it.effect("applied, it is what the network has: one version, and what stays keeps its id", () => Effect.gen(function*() {
    const { name, web, rules, show, apply, topology } = yield* scene()
    const kept = (yield* rules.allow(name, "any", alias("api"), ports(80), { comment: "all may" })).value
    const terms = (yield* rules.allow(name, "local", alias("api"), ports(80, 81), { forSeconds: 3600 })).value
    const gone = (yield* rules.allow(name, "label:team=blue", alias("api"), ports(81))).value
    const { version } = yield* topology

    const wanted = [rule("any", "api", "80", { comment: "all may" }), rule("local", "api", "80-81", { comment: "for good" }), rule(`sandbox:${web.name}`, "api", "all", { expiresAt: "2999-01-01T00:00:00Z" })]
    const { value, change } = yield* apply(wanted)
    assert.strictEqual(change.version, version + 1)
    assert.deepStrictEqual([value.added.map(brief), value.removed.map(({ id }) => id), value.unchanged], [[`sandbox:${web.name} api:all`], [gone.id], 1])
    assert.deepStrictEqual(value.changed, [{ ...terms, expiresAt: null, comment: "for good" }])
    assert.includeMembers((yield* rules.list(name)).map(({ id }) => id), [kept.id, terms.id])

    const exported = yield* show
    assert.strictEqual(exported.version, change.version)
    assert.sameDeepMembers([...exported.rules], [...wanted.slice(0, 2), { ...wanted[2], expiresAt: "2999-01-01T00:00:00.000Z" }])
    const again = yield* apply(exported.rules)
    assert.deepStrictEqual([again.value.unchanged, again.change.version], [3, change.version], "what changes nothing makes no version")
    assert.deepStrictEqual((yield* apply([])).value.removed.length, 3)
  }))

  it.effect("the log names the whole and each rule, so that explain finds who changed it", () => Effect.gen(function*() {
    const { id, name, apply } = yield* scene()
    const { explain } = yield* Reachability
    const { change } = yield* apply([rule("any", "api", "80")])
    const asked = { source: "any", alias: alias("api"), port: port(80) }
    const allowed = (yield* explain(name, asked)).lastChange
    assert.deepStrictEqual([allowed?.action, allowed?.by, allowed?.version], ["rule.allow", "operator", change.version])
    yield* apply([])
    assert.strictEqual((yield* explain(name, asked)).lastChange?.action, "rule.revoke")
    const sql = yield* SqlClient.SqlClient
    const log = yield* sql<{ action: string; detail: unknown }>`select action, detail from audit_log where network_id = ${id} and action = 'policy.apply' order by id`
    assert.deepStrictEqual(log.map(({ detail }) => detail), [{ added: [allowed!.rule.id], removed: [], changed: [] }, { added: [], removed: [allowed!.rule.id], changed: [] }])
  }))

  it.effect("all that is wrong is told at once, with its place, and nothing is changed", () => Effect.gen(function*() {
    const { name, apply, topology, web } = yield* scene()
    const before = yield* topology
    const problem = yield* Effect.flip(apply([
      rule("sandbox:nobody", "api", "80"), rule("any", "apii", "80"), rule("any", "api", "90"), rule(`sandbox:${web.name}`, "api", "80"), rule(`sandbox:${web.id}`, "api", "80")
    ]))
    assert.strictEqual(problem._tag, "InvalidPolicy")
    if (problem._tag !== "InvalidPolicy") return
    assert.deepStrictEqual(problem.errors.map(({ path }) => path), [["rules", 0, "from"], ["rules", 1, "to"], ["rules", 2, "ports"], ["rules", 4]])
    assert.match(problem.errors[1]!.message, /has no alias "apii"\. Did you mean "api"\? See all: gstacks network alias list/)
    assert.include(problem.errors[3]!.message, "the same rule as number 4")
    assert.deepStrictEqual(yield* topology, before)
    const foreign = yield* Effect.flip((yield* Policies).apply(name, { network: network("other"), rules: [] }))
    assert.match(foreign._tag === "InvalidPolicy" ? foreign.errors[0]!.message : "", /This is the policy of network "other-\d+"/)
    const many = yield* Effect.flip(apply(Array.from({ length: 100 }, (_, i) => rule("any", `no-${i}`, "80"))))
    assert.strictEqual(many._tag === "InvalidPolicy" ? many.errors.length : 0, 20)
  }))

  it.effect("with a version it changes only what was looked at", () => Effect.gen(function*() {
    const { name, rules, show, apply } = yield* scene()
    const { version } = yield* show
    yield* rules.allow(name, "any", alias("api"), ports(80))
    const problem = yield* Effect.flip(apply([], version))
    assert.deepStrictEqual([problem._tag, (yield* rules.list(name)).length], ["TopologyMoved", 1])
    assert.strictEqual((yield* apply([], version + 1)).value.removed.length, 1)
  }))

  it.effect("a rule of the document whose time is over is none; one whose ports are gone may stay", () => Effect.gen(function*() {
    const { name, rules, aliases, show, apply } = yield* scene()
    yield* rules.allow(name, "any", alias("api"), ports(81, 90))
    yield* aliases.remove(name, "api", port(81))
    const exported = yield* show
    const { value } = yield* apply([...exported.rules, rule("local", "api", "80", { expiresAt: "2020-01-01T00:00:00Z" })])
    assert.deepStrictEqual([value.over, value.unchanged, value.added, (yield* rules.list(name)).length], [1, 1, [], 1])
  }))
})

onBothDatabases("what a change would do", (it) => {
  it.effect("pairs gained and lost, whatever the change is; and nothing of it stays", () => Effect.gen(function*() {
    const { name, web, worker, backend, rules, aliases, attachments, previews, apply, topology } = yield* scene()
    const source = `sandbox:${web.name}`
    const { value: { added: [first] } } = yield* apply([rule(source, "api", "80", { comment: "shop" })])
    const before = yield* topology

    const allow = yield* previews.diff(name, rules.allow(name, "any", alias("api"), ports(80, 90)))
    assert.deepStrictEqual([allow.version, allow.rules.added.map(brief), allow.rules.unchanged], [before.version, ["any api:80-90"], 1])
    assert.sameMembers(pairs(allow), [worker, backend].map((box) => `+ sandbox:${box.name} api:80 ${backend.name}`).concat([web, worker, backend].map((box) => `+ sandbox:${box.name} api:81 ${backend.name}`)))
    const revoke = yield* previews.diff(name, rules.revoke(name, first!.id))
    assert.deepStrictEqual([revoke.rules.removed, pairs(revoke)], [[first!], [`- ${source} api:80 ${backend.name}`]])
    const renew = yield* previews.diff(name, rules.allow(name, source, alias("api"), ports(80)))
    assert.deepStrictEqual([renew.rules.changed.map(({ before: from, after: to }) => [from.comment, to.comment]), pairs(renew)], [[["shop", null]], []])
    const move = yield* previews.diff(name, aliases.move(name, "api", worker.name))
    assert.deepStrictEqual(pairs(move), [`+ ${source} api:80 ${worker.name}`, `- ${source} api:80 ${backend.name}`])
    assert.deepStrictEqual(pairs(yield* previews.diff(name, attachments.detach(name, web.name))), [`- ${source} api:80 ${backend.name}`])
    assert.deepStrictEqual(pairs(yield* previews.diff(name, aliases.remove(name, "api", port(80)))), [`- ${source} api:80 ${backend.name}`])
    const file = yield* previews.diff(name, apply([rule("label:team=blue", "api", "80"), rule("local:ann", "api", "81")]))
    assert.deepStrictEqual([file.rules.added.length, file.rules.removed.length, pairs(file)], [2, 1, [`+ local:ann api:81 ${backend.name}`]])

    assert.strictEqual((yield* Effect.flip(previews.diff(name, rules.revoke(name, "rul_none"))))._tag, "RuleNotFound")
    assert.deepStrictEqual(yield* topology, before)
    assert.strictEqual((yield* rules.allow(name, "local", alias("api"), ports(80))).change.version, before.version + 1)
  }))

  it.effect("somebody whom another rule still lets in loses nothing", () => Effect.gen(function*() {
    const { name, previews, rules, apply } = yield* scene()
    const { value: { added } } = yield* apply([rule("local", "api", "80"), rule("local:ann", "api", "80-81")])
    const everybody = added.find(({ from }) => from === "local")!
    const diff = yield* previews.diff(name, rules.revoke(name, everybody.id))
    assert.deepStrictEqual(diff.pairs.lost.map(({ source }) => source), ["local"])
  }))
})
