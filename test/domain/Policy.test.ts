import { assert, describe, it } from "@effect/vitest"
import { allowedPairs, rulesFor, rulesForLocal } from "../../src/domain/Policy.ts"
import type { Topology } from "../../src/domain/Topology.ts"
import { Draft, topologyOf } from "./topologies.ts"

/** The rules of the model in prose, written apart from the product's code. */
const oracle = (t: Topology, sandbox: string, alias: string, port: number): boolean => {
  const member = t.members.find((m) => m.id === sandbox)
  const target = t.aliases.find((a) => a.id === alias)
  if (!member || !target || !target.ports.some((p) => p === port)) return false
  return t.rules.some((r) => {
    if (r.aliasId !== alias || r.port !== port) return false
    if (r.source._tag === "Any") return true
    if (r.source._tag === "Sandbox") return r.source.sandboxId === sandbox
    if (r.source._tag === "Label") return member.labels[r.source.key] === r.source.value
    if (r.source._tag === "Alias") { const named = r.source.aliasId; return t.aliases.some((a) => a.id === named && a.sandboxId === sandbox) }
    return false
  })
}

describe("Policy", () => {
  it.prop("says what the oracle says, for every sandbox, alias and port", [Draft], ([draft]) => {
    const topology = topologyOf(draft)
    const pairs = new Set(allowedPairs(topology).map((p) => `${p.member.id} ${p.alias.id} ${p.port}`))
    for (const member of topology.members) for (const alias of topology.aliases) for (const port of [80, 81, 82]) {
      const expected = oracle(topology, member.id, alias.id, port)
      assert.strictEqual(rulesFor(topology, member.id, alias.id, port).length > 0, expected)
      assert.strictEqual(pairs.has(`${member.id} ${alias.id} ${port}`), expected)
    }
  }, { arbitrary: { runs: 500 } })

  it.prop("lets local nodes in by `local` rules only", [Draft], ([draft]) => {
    const topology = topologyOf(draft)
    for (const alias of topology.aliases) for (const port of alias.ports) {
      const expected = topology.rules.some((r) => r.source._tag === "Local" && r.aliasId === alias.id && r.port === port)
      assert.strictEqual(rulesForLocal(topology, alias.id, port).length > 0, expected)
    }
  })

  it("denies everything without a rule, one's own alias too", () => {
    const topology = topologyOf({
      version: 1, rules: [], members: [{ sandbox: 0, agent: 0, team: "red" }], aliases: [{ alias: 0, sandbox: 0, ports: [80] }]
    })
    assert.deepStrictEqual(allowedPairs(topology), [])
  })
})
