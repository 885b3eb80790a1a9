/** Networks, attachments, aliases and rules as users see them through API and CLI (names beside ids). */
import { Schema } from "effect"
import { AgentName, AliasName, NetworkName, Port, SandboxName } from "./DnsLabel.ts"
import { AgentId, AliasId, NetworkId, RuleId, SandboxId } from "./Ids.ts"
import { VirtualAddress } from "./VirtualAddress.ts"

export const TrafficMode = Schema.Literals(["agent_proxy", "routed_mesh"])
export type TrafficMode = typeof TrafficMode.Type

export const Network = Schema.Struct({
  id: NetworkId, name: NetworkName, suffix: Schema.String, mode: TrafficMode, version: Schema.Int,
  attachments: Schema.Int, aliases: Schema.Int, rules: Schema.Int, createdAt: Schema.String
})
export type Network = typeof Network.Type

export const Attachment = Schema.Struct({
  sandboxId: SandboxId, sandbox: SandboxName, agent: AgentName, aliases: Schema.Array(AliasName), attachedAt: Schema.String
})
export type Attachment = typeof Attachment.Type

export const Alias = Schema.Struct({
  id: AliasId, name: AliasName, hostName: Schema.String, address: VirtualAddress, ports: Schema.Array(Port),
  sandboxId: SandboxId, sandbox: SandboxName, agent: AgentName
})
export type Alias = typeof Alias.Type

/** `from` is the selector as users write it, with today's name of what it is bound to. */
export const Rule = Schema.Struct({
  id: RuleId, from: Schema.String, to: AliasName, port: Port, createdAt: Schema.String, createdBy: Schema.String
})
export type Rule = typeof Rule.Type

export const AgentVersion = Schema.Struct({
  agentId: AgentId, agent: AgentName, online: Schema.Boolean, applied: Schema.NullOr(Schema.Int),
  joined: Schema.Boolean, reason: Schema.NullOr(Schema.String)
})
export type AgentVersion = typeof AgentVersion.Type

export const NetworkDetail = Schema.Struct({
  network: Network, attachments: Schema.Array(Attachment), aliases: Schema.Array(Alias), rules: Schema.Array(Rule),
  agents: Schema.Array(AgentVersion)
})
export type NetworkDetail = typeof NetworkDetail.Type

export const Resolution = Schema.Struct({
  hostName: Schema.String, address: VirtualAddress, ports: Schema.Array(Port),
  sandboxId: SandboxId, sandbox: SandboxName, agentId: AgentId, agent: AgentName, agentOnline: Schema.Boolean
})
export type Resolution = typeof Resolution.Type
