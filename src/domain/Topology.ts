/**
 * What the control plane tells an agent about one network: a version and the complete set of facts that policy, DNS and
 * routing follow from. Agents get a snapshot once and deltas after; `diff` and `patch` are inverse to each other.
 */
import { Option, Schema } from "effect"
import { AgentName, AliasName, Labels, NetworkName, Port, SandboxName } from "./DnsLabel.ts"
import { AgentId, AliasId, NetworkId, RuleId, SandboxId } from "./Ids.ts"
import { Source } from "./Selector.ts"
import { VirtualAddress } from "./VirtualAddress.ts"

export const TopologyAlias = Schema.Struct({
  id: AliasId, name: AliasName, address: VirtualAddress, ports: Schema.Array(Port), sandboxId: SandboxId, agentId: AgentId
})
export type TopologyAlias = typeof TopologyAlias.Type

/** An attached sandbox. */
export const Member = Schema.Struct({ id: SandboxId, name: SandboxName, agentId: AgentId, labels: Labels })
export type Member = typeof Member.Type

/** An agent that hosts a member; its mesh node, as the control plane learned it from the mesh coordinator, once it has joined. */
export const TopologyAgent = Schema.Struct({
  id: AgentId, name: AgentName,
  node: Schema.NullOr(Schema.Struct({ id: Schema.String, address: Schema.String }))
})
export type TopologyAgent = typeof TopologyAgent.Type

export const TopologyRule = Schema.Struct({ id: RuleId, source: Source, aliasId: AliasId, port: Port })
export type TopologyRule = typeof TopologyRule.Type

/** A developer's joined machine. */
export const LocalNode = Schema.Struct({ id: Schema.String, user: Schema.String, nodeId: Schema.String, address: Schema.String })
export type LocalNode = typeof LocalNode.Type

/** Units: `version` counts the network's changes from 1. Every collection is sorted by id. */
export const Topology = Schema.Struct({
  networkId: NetworkId, name: NetworkName, version: Schema.Int,
  aliases: Schema.Array(TopologyAlias), members: Schema.Array(Member), agents: Schema.Array(TopologyAgent),
  rules: Schema.Array(TopologyRule), localNodes: Schema.Array(LocalNode)
})
export type Topology = typeof Topology.Type

const changes = <S extends Schema.Top>(item: S) => Schema.Struct({ upsert: Schema.Array(item), remove: Schema.Array(Schema.String) })

export const TopologyDelta = Schema.Struct({
  networkId: NetworkId, base: Schema.Int, version: Schema.Int, name: NetworkName,
  aliases: changes(TopologyAlias), members: changes(Member), agents: changes(TopologyAgent),
  rules: changes(TopologyRule), localNodes: changes(LocalNode)
})
export type TopologyDelta = typeof TopologyDelta.Type

interface Changes<A> { readonly upsert: ReadonlyArray<A>; readonly remove: ReadonlyArray<string> }
interface Identified { readonly id: string }

const diffItems = <A extends Identified>(before: ReadonlyArray<A>, after: ReadonlyArray<A>): Changes<A> => {
  const old = new Map(before.map((item) => [item.id, JSON.stringify(item)]))
  const kept = new Set(after.map((item) => item.id))
  return {
    upsert: after.filter((item) => old.get(item.id) !== JSON.stringify(item)),
    remove: before.filter((item) => !kept.has(item.id)).map((item) => item.id)
  }
}

const patchItems = <A extends Identified>(items: ReadonlyArray<A>, changes: Changes<A>): ReadonlyArray<A> => {
  const byId = new Map(items.map((item) => [item.id, item]))
  for (const id of changes.remove) byId.delete(id)
  for (const item of changes.upsert) byId.set(item.id, item)
  return [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
}

/** The delta that takes `before` to `after` (two topologies of one network). */
export const diff = (before: Topology, after: Topology): TopologyDelta => ({
  networkId: after.networkId, base: before.version, version: after.version, name: after.name,
  aliases: diffItems(before.aliases, after.aliases),
  members: diffItems(before.members, after.members),
  agents: diffItems(before.agents, after.agents),
  rules: diffItems(before.rules, after.rules),
  localNodes: diffItems(before.localNodes, after.localNodes)
})

/** `None` when the delta was made for another version or network: the receiver asks for a snapshot. */
export const patch = (topology: Topology, delta: TopologyDelta): Option.Option<Topology> =>
  topology.networkId !== delta.networkId || topology.version !== delta.base ? Option.none() : Option.some({
    networkId: delta.networkId, name: delta.name, version: delta.version,
    aliases: patchItems(topology.aliases, delta.aliases),
    members: patchItems(topology.members, delta.members),
    agents: patchItems(topology.agents, delta.agents),
    rules: patchItems(topology.rules, delta.rules),
    localNodes: patchItems(topology.localNodes, delta.localNodes)
  })
