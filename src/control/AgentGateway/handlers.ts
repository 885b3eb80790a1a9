/** What agents may ask. Everything is judged by who is connected: an agent reads and reports what is its own, and nothing else. */
import { Effect, Stream } from "effect"
import { AgentIdentity, ControlRpcs } from "../../protocol/agent/ControlRpcs.ts"
import { MeshKeys } from "../MeshKeys.ts"
import { Sandboxes } from "../Sandboxes.ts"
import { AgentSessions } from "./AgentSessions.ts"

export const handlers = ControlRpcs.toLayer(Effect.gen(function*() {
  const sessions = yield* AgentSessions
  const sandboxes = yield* Sandboxes
  const keys = yield* MeshKeys
  return ControlRpcs.of({
    Attach: ({ facts, sandboxes: statuses }, { client }) => Stream.unwrap(Effect.flatMap(AgentIdentity, (agent) => sessions.attach(agent, client.id, facts, statuses))),
    Reply: ({ message }, { client }) => sessions.deliver(client.id, message),
    MintJoinKey: ({ networkId }) => Effect.flatMap(AgentIdentity, (agent) => keys.mint(agent, networkId)),
    ReportJoined: ({ networkId }) => Effect.flatMap(AgentIdentity, (agent) => keys.joined(agent, networkId)),
    ReportSandbox: ({ status }, { client }) => Effect.flatMap(AgentIdentity, (agent) => sessions.isCurrent(agent.id, client.id) ? Effect.asVoid(sandboxes.report(agent, status)) : Effect.void),
    DesiredSandboxes: () => Effect.flatMap(AgentIdentity, (agent) => sandboxes.desired(agent.id))
  })
}))
