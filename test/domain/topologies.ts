/** Small random topologies for property tests: few names, so that rules often match and often do not. */
import { Schema } from "effect"
import { Topology } from "../../src/domain/Topology.ts"

const id = (prefix: string, n: number): string => `${prefix}_${String(n).padStart(18, "0")}`
const below = (limit: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: limit - 1 }))

/** The seed of a topology; `topologyOf` turns it into a valid one. */
export const Draft = Schema.Struct({
  version: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 })),
  members: Schema.Array(Schema.Struct({ sandbox: below(5), agent: below(3), team: Schema.Literals(["red", "blue"]) })),
  aliases: Schema.Array(Schema.Struct({ alias: below(4), sandbox: below(5), ports: Schema.NonEmptyArray(Schema.Literals([80, 81, 82])) })),
  rules: Schema.Array(Schema.Struct({
    rule: below(12), alias: below(4), port: Schema.Literals([80, 81, 82]), kind: Schema.Literals(["Local", "Any", "Sandbox", "Alias", "Label"]),
    sandbox: below(5), sourceAlias: below(4), team: Schema.Literals(["red", "blue"])
  }))
})
export type Draft = typeof Draft.Type

const unique = <A extends { readonly id: string }>(items: ReadonlyArray<A>): ReadonlyArray<A> =>
  [...new Map(items.map((item) => [item.id, item])).values()].sort((a, b) => (a.id < b.id ? -1 : 1))

const source = (rule: Draft["rules"][number]) => {
  switch (rule.kind) {
    case "Sandbox": return { _tag: "Sandbox", sandboxId: id("sbx", rule.sandbox) }
    case "Alias": return { _tag: "Alias", aliasId: id("als", rule.sourceAlias) }
    case "Label": return { _tag: "Label", key: "team", value: rule.team }
    default: return { _tag: rule.kind }
  }
}

export const topologyOf = (draft: Draft): Topology => {
  const members = unique(draft.members.map((m) => ({ id: id("sbx", m.sandbox), name: `box${m.sandbox}`, agentId: id("agt", m.agent), labels: { team: m.team } })))
  const agentOf = new Map(members.map((m) => [m.id, m.agentId]))
  return Schema.decodeUnknownSync(Topology)({
    networkId: id("net", 1), name: "dev", version: draft.version, members,
    aliases: unique(draft.aliases.flatMap((a) => {
      const agentId = agentOf.get(id("sbx", a.sandbox))
      return agentId === undefined ? [] : [{ id: id("als", a.alias), name: `app${a.alias}`, address: `127.64.1.${a.alias}`, ports: [...new Set(a.ports)], sandboxId: id("sbx", a.sandbox), agentId }]
    })),
    agents: unique(members.map((m) => ({ id: m.agentId, name: "host", node: null }))),
    rules: unique(draft.rules.map((r) => ({ id: id("rul", r.rule), source: source(r), aliasId: id("als", r.alias), port: r.port }))),
    localNodes: []
  })
}
