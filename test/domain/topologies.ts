/** Small random topologies for property tests: few names, so that rules often match and often do not. */
import { Schema } from "effect"
import { Topology } from "../../src/domain/Topology.ts"

const id = (prefix: string, n: number): string => `${prefix}_${String(n).padStart(18, "0")}`
const below = (limit: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: limit - 1 }))

/** The time at which the tests look; some rules end before, at and after it. */
export const now = 1_000_000

/** The seed of a topology; `topologyOf` turns it into a valid one. */
export const Draft = Schema.Struct({
  version: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 })),
  members: Schema.Array(Schema.Struct({ sandbox: below(5), agent: below(3), team: Schema.Literals(["red", "blue"]) })),
  aliases: Schema.Array(Schema.Struct({ alias: below(4), sandbox: below(5), ports: Schema.NonEmptyArray(Schema.Literals([80, 81, 82])) })),
  rules: Schema.Array(Schema.Struct({
    rule: below(12), alias: below(4), port: Schema.Literals([80, 81, 82]), kind: Schema.Literals(["Local", "Any", "Sandbox", "Alias", "Label"]),
    user: Schema.optionalKey(Schema.Literals(["ann", "bob"])), sandbox: below(5), sourceAlias: below(4), team: Schema.Literals(["red", "blue"]), range: Schema.optionalKey(Schema.Literals([1, 2])),
    expiresAt: Schema.optionalKey(Schema.Literals([now - 1, now, now + 1]))
  })),
  /** Aliases that joined machines publish, if those are there; they come before those of sandboxes. */
  published: Schema.optionalKey(Schema.Array(Schema.Struct({ alias: below(4), node: below(3), port: Schema.Literals([80, 81, 82]), expiresAt: Schema.Literals([now - 1, now + 1]) }))),
  localNodes: Schema.optionalKey(Schema.Array(Schema.Struct({ node: below(3), user: Schema.Literals(["ann", "bob"]), expiresAt: Schema.Literals([now - 1, now + 1]) })))
})
export type Draft = typeof Draft.Type

const unique = <A extends { readonly id: string }>(items: ReadonlyArray<A>): ReadonlyArray<A> =>
  [...new Map(items.map((item) => [item.id, item])).values()].sort((a, b) => (a.id < b.id ? -1 : 1))

const source = (rule: Draft["rules"][number]) => {
  switch (rule.kind) {
    case "Sandbox": return { _tag: "Sandbox", sandboxId: id("sbx", rule.sandbox) }
    case "Alias": return { _tag: "Alias", aliasId: id("als", rule.sourceAlias) }
    case "Label": return { _tag: "Label", key: "team", value: rule.team }
    case "Local": return { _tag: "Local", ...(rule.user === undefined ? {} : { user: rule.user }) }
    default: return { _tag: rule.kind }
  }
}

export const topologyOf = (draft: Draft): Topology => {
  const members = unique(draft.members.map((m) => ({ id: id("sbx", m.sandbox), name: `box${m.sandbox}`, agentId: id("agt", m.agent), labels: { team: m.team } })))
  const machines = new Set((draft.localNodes ?? []).map(({ node }) => node))
  const published = (draft.published ?? []).filter(({ node }) => machines.has(node)).map(({ alias, node, port, expiresAt }) =>
    ({ id: id("als", alias), name: `app${alias}`, address: `127.64.1.${alias}`, ports: [port], local: { nodeId: id("lcl", node), expiresAt } }))
  const agentOf = new Map(members.map((m) => [m.id, m.agentId]))
  return Schema.decodeUnknownSync(Topology)({
    networkId: id("net", 1), name: "dev", version: draft.version, members,
    aliases: unique([...draft.aliases.flatMap((a) => {
      const agentId = agentOf.get(id("sbx", a.sandbox))
      return agentId === undefined ? [] : [{ id: id("als", a.alias), name: `app${a.alias}`, address: `127.64.1.${a.alias}`, ports: [...new Set(a.ports)], sandboxId: id("sbx", a.sandbox), agentId }]
    }), ...published]),
    agents: unique(members.map((m) => ({ id: m.agentId, name: "host", node: null }))),
    rules: unique(draft.rules.map((r) => ({ id: id("rul", r.rule), source: source(r), aliasId: id("als", r.alias), port: r.port,
      ...(r.range === undefined ? {} : { lastPort: r.port + r.range }), ...(r.expiresAt === undefined ? {} : { expiresAt: r.expiresAt }) }))),
    localNodes: unique((draft.localNodes ?? []).map(({ node, user, expiresAt }) => ({ id: id("lcl", node), user, nodeId: `l-${node}`, address: "100.64.0.9", expiresAt })))
  })
}
