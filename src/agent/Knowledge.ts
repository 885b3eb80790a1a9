/**
 * What this agent knows at the moment, in memory: who it is, the topologies it has, the sandboxes that run here, and
 * whether it has been out of touch for too long. Everything else follows from it; `plan` is how. Written by the services
 * that own each part, read by everyone.
 */
import { Context, Effect, Layer } from "effect"
import type { AgentName } from "../domain/DnsLabel.ts"
import type { AgentId, NetworkId, SandboxId } from "../domain/Ids.ts"
import type { Topology } from "../domain/Topology.ts"
import type { Plan } from "../protocol/meshd/Messages.ts"
import type { NetworkPermits } from "./plan/permits.ts"
import { emptyPlan, makePlan, type Planned, type RunningSandbox } from "./plan/plan.ts"

export interface Identity { readonly agentId: AgentId; readonly name: AgentName }

const nothing: ReadonlyMap<NetworkId, NetworkPermits> = new Map()

export class Known {
  #identity: Identity | undefined
  #stale = false
  readonly #topologies = new Map<NetworkId, Topology>()
  readonly #running = new Map<SandboxId, RunningSandbox>()
  readonly #listeners = new Set<() => void>()
  #planned: Planned | undefined
  #isCurrent = false

  #changed(): void {
    this.#isCurrent = false
    for (const listener of [...this.#listeners]) listener()
  }

  get identity(): Identity | undefined { return this.#identity }
  set identity(identity: Identity | undefined) { this.#identity = identity; this.#changed() }

  /** Too long without the control plane: nothing new is granted. */
  get stale(): boolean { return this.#stale }
  set stale(stale: boolean) {
    const changes = this.#stale !== stale
    this.#stale = stale
    if (changes) this.#changed()
  }

  get topologies(): ReadonlyMap<NetworkId, Topology> { return this.#topologies }
  putTopology(topology: Topology): void { this.#topologies.set(topology.networkId, topology); this.#changed() }
  dropTopology(id: NetworkId): void { this.#topologies.delete(id); this.#changed() }

  get running(): ReadonlyMap<SandboxId, RunningSandbox> { return this.#running }
  putRunning(sandbox: RunningSandbox): void { this.#running.set(sandbox.id, sandbox); this.#changed() }
  dropRunning(id: SandboxId): void { this.#running.delete(id); this.#changed() }

  #plannedNow(): Planned | undefined {
    if (!this.#isCurrent) {
      this.#planned = this.#identity === undefined ? undefined : makePlan({
        agentId: this.#identity.agentId, topologies: [...this.#topologies.values()], sandboxes: [...this.#running.values()], stale: this.#stale
      }, this.#planned)
      this.#isCurrent = true
    }
    return this.#planned
  }

  /** What meshd is to do by now. The same object until something changes. */
  plan(): Plan { return this.#plannedNow()?.plan ?? emptyPlan }

  /** The permits of that plan, by network and alias. */
  permits(): ReadonlyMap<NetworkId, NetworkPermits> { return this.#plannedNow()?.networks ?? nothing }

  /** Whether a member of the network is hosted here, and so this agent takes part in its mesh. */
  takesPart(id: NetworkId): boolean {
    return this.#topologies.get(id)?.members.some((member) => member.agentId === this.#identity?.agentId) ?? false
  }

  /** Waits until a condition on this knowledge holds. */
  until(condition: () => boolean): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const check = () => {
        if (!condition()) return
        this.#listeners.delete(check)
        resume(Effect.void)
      }
      this.#listeners.add(check)
      check()
      return Effect.sync(() => { this.#listeners.delete(check) })
    })
  }
}

export class Knowledge extends Context.Service<Knowledge, Known>()("gstacks/agent/Knowledge") {
  static readonly layer = Layer.effect(Knowledge, Effect.sync(() => new Known()))
}
