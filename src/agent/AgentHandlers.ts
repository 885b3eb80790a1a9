/** What the control plane may ask of this agent, and who of the agent's services answers. */
import { Effect } from "effect"
import { AgentRpcs, UnknownSandbox } from "../protocol/agent/AgentRpcs.ts"
import { Diagnostics } from "./Diagnostics.ts"
import { Networks } from "./Networks.ts"
import { Sandboxes } from "./Sandboxes.ts"
import { lastOutput } from "./sandboxes/logs.ts"

const mostLogBytes = 1024 * 1024

export const AgentHandlers = AgentRpcs.toLayer(Effect.gen(function*() {
  const networks = yield* Networks
  const sandboxes = yield* Sandboxes
  const diagnostics = yield* Diagnostics
  return AgentRpcs.of({
    ApplyTopology: ({ update }) => networks.receive(update),
    DropNetwork: ({ networkId }) => networks.drop(networkId),
    Inventory: () => networks.inventory,
    StartSandbox: (wanted) => sandboxes.start(wanted),
    StopSandbox: ({ id }) => sandboxes.stop(id),
    RemoveSandbox: ({ id }) => sandboxes.remove(id),
    SandboxLogs: ({ id, maxBytes }) => sandboxes.find(id) === undefined
      ? Effect.fail(new UnknownSandbox({ id }))
      : lastOutput(sandboxes.folder(id), Math.min(Math.max(maxBytes, 0), mostLogBytes)),
    RunCheck: ({ check, ...request }) => diagnostics.run(check, request)
  })
}))
