/** Agents and sandboxes for service tests, without a network in between: the agent's side is a small stand-in. */
import { Deferred, Effect, Schema } from "effect"
import { Agents } from "../../src/control/Agents.ts"
import { Sandboxes } from "../../src/control/Sandboxes.ts"
import { type AgentClient, Sessions } from "../../src/control/Sessions.ts"
import { Tokens } from "../../src/control/Tokens.ts"
import { AgentName, AliasName, NetworkName, Port, type PortRange, SandboxName } from "../../src/domain/DnsLabel.ts"

let counter = 0
/** A name that no other test of this file uses. */
export const fresh = (prefix: string): string => `${prefix}-${++counter}`
export const network = (prefix = "net"): NetworkName => NetworkName.make(fresh(prefix))
export const alias = (name: string): AliasName => AliasName.make(name)
export const port = (value: number): Port => Schema.decodeSync(Port)(value)
export const ports = (first: number, last = first): PortRange => ({ first: port(first), last: port(last) })

export const enrol = Effect.fnUntraced(function*(name = fresh("host")) {
  const { secret } = yield* (yield* Tokens).create("enrolment", name, 60)
  return yield* (yield* Agents).enrol(secret, AgentName.make(name))
})

/** An enrolled agent with a session that starts and stops whatever it is told. */
export const connect = Effect.fnUntraced(function*(overrides: Partial<Record<keyof AgentClient, unknown>> = {}) {
  const { agentId, name, credential } = yield* enrol()
  const client = {
    StartSandbox: ({ id }: { id: string }) => Effect.succeed({ id, state: "running", exitCode: null, reason: null }),
    StopSandbox: ({ id }: { id: string }) => Effect.succeed({ id, state: "stopped", exitCode: 0, reason: null }),
    RemoveSandbox: () => Effect.void,
    Flows: () => Effect.succeed({ flows: [], refusals: [], lost: 0 }),
    FlowGroups: () => Effect.succeed({ groups: [], refusals: [], left: { flows: 0, refusals: 0 }, lost: 0 }),
    ...overrides
  } as unknown as AgentClient
  yield* (yield* Sessions).open({ agentId, agent: name, connection: 0, client, troubles: new Map(), ended: yield* Deferred.make<void>(), kick: () => Effect.void, close: Effect.void })
  return { id: agentId, name, credential }
})

export const runSandbox = Effect.fnUntraced(function*(agent: { readonly name: string }, name = fresh("box"), labels: Record<string, string> = {}) {
  return yield* (yield* Sandboxes).run({
    name: SandboxName.make(name), agent: agent.name, labels, replace: false, spec: { command: ["true"], env: {}, binds: [] }
  })
})
