/** Sandboxes: what an owner asks for, and what the agent that hosts it reports. */
import { Schema } from "effect"
import { AgentName, Labels, SandboxName } from "./DnsLabel.ts"
import { AgentId, SandboxId } from "./Ids.ts"

/** A host path shown inside the sandbox, read-only unless `writable`. */
export const Bind = Schema.Struct({ source: Schema.String, target: Schema.String, writable: Schema.Boolean })
export type Bind = typeof Bind.Type

export const SandboxSpec = Schema.Struct({
  command: Schema.NonEmptyArray(Schema.String),
  env: Schema.Record(Schema.String, Schema.String),
  binds: Schema.Array(Bind)
})
export type SandboxSpec = typeof SandboxSpec.Type

export const SandboxState = Schema.Literals(["pending", "preparing", "running", "stopping", "stopped", "failed"])
export type SandboxState = typeof SandboxState.Type

/** `exitCode` is 128+n for signal n; `reason` says why a sandbox failed. */
export const SandboxStatus = Schema.Struct({
  id: SandboxId, state: SandboxState, exitCode: Schema.NullOr(Schema.Int), reason: Schema.NullOr(Schema.String)
})
export type SandboxStatus = typeof SandboxStatus.Type

export const Sandbox = Schema.Struct({
  id: SandboxId, name: SandboxName, agentId: AgentId, agent: AgentName, labels: Labels, spec: SandboxSpec,
  state: SandboxState, exitCode: Schema.NullOr(Schema.Int), reason: Schema.NullOr(Schema.String),
  networks: Schema.Array(Schema.Struct({ network: Schema.String, aliases: Schema.Array(Schema.String) })),
  createdAt: Schema.String
})
export type Sandbox = typeof Sandbox.Type
