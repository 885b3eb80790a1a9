/** Sandboxes: what an owner asks for, and what the agent that hosts it reports. */
import { Schema } from "effect"
import { AgentName, Labels, SandboxName } from "./DnsLabel.ts"
import { AgentId, SandboxId } from "./Ids.ts"

/** Programs, their arguments and their environment cannot hold a zero byte. */
const Text = Schema.String.check(Schema.isPattern(/^[^\0]*$/, { message: "text without zero bytes" }))

/** A host path shown inside the sandbox, read-only unless `writable`. */
export const Bind = Schema.Struct({ source: Text, target: Text, writable: Schema.Boolean })
export type Bind = typeof Bind.Type

export const SandboxSpec = Schema.Struct({
  command: Schema.NonEmptyArray(Text),
  env: Schema.Record(Schema.String, Text).check(
    Schema.makeFilter((env) => Object.keys(env).every((key) => /^[^\0=]+$/.test(key)) || "names of variables without = and zero bytes")),
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

const notThere = "the agent does not have it"
/** Of one that is not to run, and that its agent does not know: its start never arrived, or the host's disk was lost. It tells nothing of how one ended. */
export const unknownToAgent = (id: SandboxId): SandboxStatus => ({ id, state: "stopped", exitCode: null, reason: notThere })
export const isUnknownToAgent = ({ reason }: Pick<SandboxStatus, "reason">): boolean => reason === notThere

export const Sandbox = Schema.Struct({
  id: SandboxId, name: SandboxName, agentId: AgentId, agent: AgentName, labels: Labels, spec: SandboxSpec,
  state: SandboxState, exitCode: Schema.NullOr(Schema.Int), reason: Schema.NullOr(Schema.String),
  networks: Schema.Array(Schema.Struct({ network: Schema.String, aliases: Schema.Array(Schema.String) })),
  createdAt: Schema.String
})
export type Sandbox = typeof Sandbox.Type
