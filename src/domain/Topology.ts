/**
 * What the control plane tells an agent about one network: a version and the complete set of facts that policy, DNS and
 * routing follow from. Agents get a snapshot once and deltas after; `diff` and `patch` are inverse to each other.
 */
import { Option, Schema } from "effect"
import { AgentName, AliasName, Labels, NetworkName, Port, SandboxName } from "./DnsLabel.ts"
import { AgentId, AliasId, LocalNodeId, NetworkId, RuleId, SandboxId } from "./Ids.ts"
import { LimitTerms } from "./Limit.ts"
import { Source, UserName } from "./Selector.ts"
import { VirtualAddress } from "./VirtualAddress.ts"

/** Published by a sandbox, and then `agentId` hosts it; or by a developer's machine, as `local` says. By nobody else, and never by both. */
export const TopologyAlias = Schema.Struct({
  id: AliasId, name: AliasName, address: VirtualAddress, ports: Schema.Array(Port),
  sandboxId: Schema.optionalKey(SandboxId), agentId: Schema.optionalKey(AgentId),
  /** Until `expiresAt` (milliseconds since the epoch), and no longer than the machine is joined. */
  local: Schema.optionalKey(Schema.Struct({ nodeId: LocalNodeId, expiresAt: Schema.Number })),
  /** Of all that come, together. */
  limit: Schema.optionalKey(LimitTerms)
})
export type TopologyAlias = typeof TopologyAlias.Type

/** An attached sandbox, and the limit on what it opens in this network. */
export const Member = Schema.Struct({ id: SandboxId, name: SandboxName, agentId: AgentId, labels: Labels, limit: Schema.optionalKey(LimitTerms) })
export type Member = typeof Member.Type

/** An agent that hosts a member; its mesh node, as the control plane learned it from the mesh coordinator, once it has joined. */
export const TopologyAgent = Schema.Struct({
  id: AgentId, name: AgentName,
  node: Schema.NullOr(Schema.Struct({ id: Schema.String, address: Schema.String }))
})
export type TopologyAgent = typeof TopologyAgent.Type

/** Opens the alias's ports from `port` to `lastPort` (default: that one), until `expiresAt` (milliseconds since the epoch) if there is one. */
export const TopologyRule = Schema.Struct({
  id: RuleId, source: Source, aliasId: AliasId, port: Port, lastPort: Schema.optionalKey(Port), expiresAt: Schema.optionalKey(Schema.Number)
})
export type TopologyRule = typeof TopologyRule.Type

/** A developer's joined machine: its mesh node, as the coordinator told it by the key that was minted, until `expiresAt` (milliseconds since the epoch). */
export const TopologyLocalNode = Schema.Struct({
  id: LocalNodeId, user: UserName, nodeId: Schema.String, address: Schema.String, expiresAt: Schema.Number
})
export type TopologyLocalNode = typeof TopologyLocalNode.Type

/** Units: `version` counts the network's changes from 1. Every collection is sorted by id. */
export const Topology = Schema.Struct({
  networkId: NetworkId, name: NetworkName, version: Schema.Int,
  aliases: Schema.Array(TopologyAlias), members: Schema.Array(Member), agents: Schema.Array(TopologyAgent),
  rules: Schema.Array(TopologyRule), localNodes: Schema.Array(TopologyLocalNode)
})
export type Topology = typeof Topology.Type

const changes = <S extends Schema.Top>(item: S) => Schema.Struct({ upsert: Schema.Array(item), remove: Schema.Array(Schema.String) })

export const TopologyDelta = Schema.Struct({
  networkId: NetworkId, base: Schema.Int, version: Schema.Int, name: NetworkName,
  aliases: changes(TopologyAlias), members: changes(Member), agents: changes(TopologyAgent),
  rules: changes(TopologyRule), localNodes: changes(TopologyLocalNode)
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

/** What does not change stays the same object, the list itself too: whoever compares finds the difference by identity. */
const patchItems = <A extends Identified>(items: ReadonlyArray<A>, { upsert, remove }: Changes<A>): ReadonlyArray<A> => {
  if (upsert.length === 0 && remove.length === 0) return items
  const replaced = new Set([...remove, ...upsert.map((item) => item.id)])
  return [...items.filter((item) => !replaced.has(item.id)), ...upsert].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
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
