/** Networks, attachments, aliases and rules as users see them through API and CLI (names beside ids). */
import { Schema } from "effect"
import { AgentName, AliasName, NetworkName, Port, SandboxName } from "./DnsLabel.ts"
import { Limit } from "./Limit.ts"
import { AgentId, AliasId, NetworkId, RuleId, SandboxId } from "./Ids.ts"
import { LocalNode } from "./LocalNode.ts"
import { PublishedFrom, Publisher } from "./Publication.ts"
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

/** Of a sandbox, or `local`: of a developer's machine. What it is not of is null. */
export const Alias = Schema.Struct({
  id: AliasId, name: AliasName, hostName: Schema.String, address: VirtualAddress, ports: Schema.Array(Port),
  sandboxId: Schema.NullOr(SandboxId), sandbox: Schema.NullOr(SandboxName), agent: Schema.NullOr(AgentName), local: Schema.NullOr(PublishedFrom)
})
export type Alias = typeof Alias.Type

export const RuleComment = Schema.String.check(Schema.isPattern(/^\P{Cc}{1,200}$/u, { message: "a comment of at most 200 characters in one line" }))

/**
 * `from` is the selector as users write it, with today's name of what it is bound to; the rule opens the ports from `port` to `lastPort`,
 * which `ports` says as users write it; `expiresAt` null: until it is revoked.
 */
export const Rule = Schema.Struct({
  id: RuleId, from: Schema.String, to: AliasName, port: Port, lastPort: Port, ports: Schema.String,
  expiresAt: Schema.NullOr(Schema.String), comment: Schema.NullOr(Schema.String), createdAt: Schema.String, createdBy: Schema.String
})
export type Rule = typeof Rule.Type

export const AgentVersion = Schema.Struct({
  agentId: AgentId, agent: AgentName, online: Schema.Boolean, applied: Schema.NullOr(Schema.Int),
  joined: Schema.Boolean, reason: Schema.NullOr(Schema.String)
})
export type AgentVersion = typeof AgentVersion.Type

export const NetworkDetail = Schema.Struct({
  network: Network, attachments: Schema.Array(Attachment), aliases: Schema.Array(Alias), rules: Schema.Array(Rule),
  limits: Schema.Array(Limit), agents: Schema.Array(AgentVersion), localNodes: Schema.Array(LocalNode), publishers: Schema.Array(Publisher)
})
export type NetworkDetail = typeof NetworkDetail.Type

export const Resolution = Schema.Struct({
  hostName: Schema.String, address: VirtualAddress, ports: Schema.Array(Port),
  sandboxId: Schema.NullOr(SandboxId), sandbox: Schema.NullOr(SandboxName), agentId: Schema.NullOr(AgentId), agent: Schema.NullOr(AgentName), agentOnline: Schema.Boolean,
  local: Schema.NullOr(PublishedFrom)
})
export type Resolution = typeof Resolution.Type
