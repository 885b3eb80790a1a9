/** What the control plane may ask of this agent, and who of the agent's services answers. */
import { Clock, Effect, Layer } from "effect"
import { sightHandlers } from "../actors/sight/Sight.ts"
import { TaskRpcs, UnknownSandbox } from "../protocol/agent/AgentRpcs.ts"
import { Diagnostics } from "./Diagnostics.ts"
import { Flows } from "./Flows.ts"
import { Networks } from "./Networks.ts"
import { Sandboxes } from "./Sandboxes.ts"
import { lastOutput } from "./sandboxes/logs.ts"

const mostLogBytes = 1024 * 1024

const tasks = TaskRpcs.toLayer(Effect.gen(function*() {
  const networks = yield* Networks
  const sandboxes = yield* Sandboxes
  const diagnostics = yield* Diagnostics
  const flows = yield* Flows
  return TaskRpcs.of({
    ApplyTopology: ({ acknowledged, update }) => networks.receive(update, acknowledged),
    DropNetwork: ({ acknowledged, networkId }) => networks.drop(networkId, acknowledged),
    Inventory: () => networks.inventory,
    StartSandbox: (wanted) => sandboxes.start(wanted),
    StopSandbox: ({ id }) => sandboxes.stop(id),
    RemoveSandbox: ({ id }) => sandboxes.remove(id),
    SandboxLogs: ({ id, maxBytes }) => sandboxes.find(id) === undefined
      ? Effect.fail(new UnknownSandbox({ id }))
      : lastOutput(sandboxes.folder(id), Math.min(Math.max(maxBytes, 0), mostLogBytes)),
    RunCheck: ({ check, ...request }) => Effect.zipWith(diagnostics.run(check, request), Clock.currentTimeMillis, (result, clockMs) => ({ ...result, clockMs })),
    Trace: ({ firstByteMs, ...request }) => diagnostics.trace({ ...request, role: "source" }, request.source, firstByteMs),
    Flows: (query) => flows.query(query),
    FlowGroups: (query) => flows.groups(query),
    AliasMetrics: ({ networkId }) => flows.metrics(networkId)
  })
}))

export const AgentHandlers = Layer.merge(tasks, sightHandlers)
