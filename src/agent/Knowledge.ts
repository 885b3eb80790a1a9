/**
 * What this agent knows at the moment, in memory: who it is, the topologies it has, the sandboxes that run here, and
 * whether it has been out of touch for too long. Everything else follows from it; `plan` is how.
 */
import { Context, Effect, Layer } from "effect"
import type { AgentName } from "../domain/DnsLabel.ts"
import type { AgentId, NetworkId, SandboxId } from "../domain/Ids.ts"
import type { Topology } from "../domain/Topology.ts"
import type { Plan } from "../protocol/meshd/Messages.ts"
import { emptyPlan, makePlan, type RunningSandbox } from "./plan/plan.ts"

export interface Identity { readonly agentId: AgentId; readonly name: AgentName }

export class Knowledge extends Context.Service<Knowledge, {
  identity: Identity | undefined
  /** Too long without the control plane: nothing new is granted. */
  stale: boolean
  readonly topologies: Map<NetworkId, Topology>
  readonly running: Map<SandboxId, RunningSandbox>
  readonly plan: () => Plan
}>()("gstacks/agent/Knowledge") {
  static readonly layer = Layer.effect(Knowledge, Effect.sync(() => Knowledge.of(make())))
}

const make = (): Knowledge["Service"] => {
  const self: Knowledge["Service"] = {
    identity: undefined, stale: false, topologies: new Map(), running: new Map(),
    plan: () => self.identity === undefined ? emptyPlan : makePlan({
      agentId: self.identity.agentId,
      networks: [...self.topologies.values()].map((topology) => ({ topology, stale: self.stale })),
      sandboxes: [...self.running.values()]
    })
  }
  return self
}

/** Whether this agent hosts a member of the network, and so takes part in its mesh. */
export const hostsMember = (topology: Topology, agentId: AgentId): boolean => topology.members.some((member) => member.agentId === agentId)
