import { assert, describe, it } from "@effect/vitest"
import { expiryOf, hasEnded, judge, pairsTo, rulesFor, rulesForLocal } from "../../src/domain/Policy.ts"
import type { Topology } from "../../src/domain/Topology.ts"
import { Draft, now, topologyOf } from "./topologies.ts"

/** The rules of the model in prose, written apart from the product's code. */
const oracle = (t: Topology, sandbox: string, alias: string, port: number): boolean => {
  const member = t.members.find((m) => m.id === sandbox)
  const target = t.aliases.find((a) => a.id === alias)
  if (!member || !target || !target.ports.some((p) => p === port)) return false
  if (target.local && target.local.expiresAt <= now) return false
  return t.rules.some((r) => {
    if (r.aliasId !== alias || port < r.port || port > (r.lastPort ?? r.port)) return false
    if (r.expiresAt !== undefined && r.expiresAt <= now) return false
    if (r.source._tag === "Any") return true
    if (r.source._tag === "Sandbox") return r.source.sandboxId === sandbox
    if (r.source._tag === "Label") return member.labels[r.source.key] === r.source.value
    if (r.source._tag === "Alias") { const named = r.source.aliasId; return t.aliases.some((a) => a.id === named && a.sandboxId === sandbox) }
    return false
  })
}

const allowedPairs = (t: Topology) => t.aliases.flatMap((alias) =>
  pairsTo(alias, t.rules.filter((rule) => rule.aliasId === alias.id), t.members, new Map(t.aliases.map((a) => [a.id, a]))))

describe("Policy", () => {
  it.prop("says what the oracle says, for every sandbox, alias and port", [Draft], ([draft]) => {
    const topology = topologyOf(draft)
    const pairs = new Set(allowedPairs(topology).filter(({ alias, rules }) => (expiryOf(rules) ?? Infinity) > now && !hasEnded(alias, now)).map((p) => `${p.member.id} ${p.alias.id} ${p.port}`))
    for (const member of topology.members) for (const alias of topology.aliases) for (const port of [80, 81, 82]) {
      const expected = oracle(topology, member.id, alias.id, port)
      assert.strictEqual(rulesFor(topology, member.id, alias.id, port, now).length > 0, expected)
      assert.strictEqual(pairs.has(`${member.id} ${alias.id} ${port}`), expected)
    }
  }, { arbitrary: { runs: 500 } })

  it.prop("lets local nodes in by `local` rules only, and to nothing that another one publishes", [Draft], ([draft]) => {
    const topology = topologyOf(draft)
    for (const alias of topology.aliases) for (const port of alias.ports) {
      const expected = alias.local === undefined && topology.rules.some((r) => r.source._tag === "Local" && r.source.user === undefined && r.aliasId === alias.id && r.port <= port && port <= (r.lastPort ?? r.port) && (r.expiresAt ?? Infinity) > now)
      assert.strictEqual(rulesForLocal(topology, alias.id, port, now).length > 0, expected)
    }
  })

  it.prop("judges a selector by all that it stands for", [Draft], ([draft]) => {
    const topology = topologyOf(draft)
    for (const alias of topology.aliases) for (const port of alias.ports) {
      const { sources, allowed, rules } = judge(topology, { _tag: "Any" }, alias.id, port, now)
      assert.strictEqual(sources.length, topology.members.length)
      assert.strictEqual(allowed, topology.members.length > 0 && topology.members.every((member) => oracle(topology, member.id, alias.id, port)))
      for (const rule of rules) assert.isTrue(sources.some((source) => source.rules.includes(rule)))
    }
  })

  it("a rule for one user's machines is not for another's, nor for everybody's", () => {
    const topology = topologyOf({
      version: 1, rules: [{ rule: 0, alias: 0, port: 80, kind: "Local", sandbox: 0, sourceAlias: 0, team: "red" }],
      members: [{ sandbox: 0, agent: 0, team: "red" }], aliases: [{ alias: 0, sandbox: 0, ports: [80] }]
    })
    const forAnn = { ...topology, rules: topology.rules.map((rule) => ({ ...rule, source: { _tag: "Local" as const, user: "ann" } })) }
    const alias = topology.aliases[0]!.id
    assert.strictEqual(rulesForLocal(topology, alias, 80, now, "ann").length, 1)
    assert.strictEqual(rulesForLocal(forAnn, alias, 80, now, "ann").length, 1)
    assert.strictEqual(rulesForLocal(forAnn, alias, 80, now, "bob").length, 0)
    assert.strictEqual(rulesForLocal(forAnn, alias, 80, now).length, 0)
  })

  it("denies everything without a rule, one's own alias too", () => {
    const topology = topologyOf({
      version: 1, rules: [], members: [{ sandbox: 0, agent: 0, team: "red" }], aliases: [{ alias: 0, sandbox: 0, ports: [80] }]
    })
    assert.deepStrictEqual(allowedPairs(topology), [])
  })
})
