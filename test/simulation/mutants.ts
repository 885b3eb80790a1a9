/** Bugs planted in single services, to show that the simulation finds their like. Each stands in the real service's place; the product knows nothing of them. */
import { Effect, Layer, Option } from "effect"
import { ActorSystem } from "../../src/actors/runtime/ActorSystem.ts"
import { AliasListeners } from "../../src/agent/AliasListeners.ts"
import { Knowledge, Known } from "../../src/agent/Knowledge.ts"
import { Networks } from "../../src/agent/Networks.ts"
import { Sandboxes } from "../../src/agent/Sandboxes.ts"
import { Topologies } from "../../src/agent/Topologies.ts"
import { Agents } from "../../src/control/Agents.ts"
import { Diagnostics } from "../../src/control/Diagnostics.ts"
import { Expiry } from "../../src/control/Expiry.ts"
import type { AgentRow } from "../../src/control/Lookups.ts"
import { Participants } from "../../src/control/Participants.ts"
import { Snapshots } from "../../src/control/Snapshots.ts"
import type { Topology } from "../../src/domain/Topology.ts"
import type { Plan } from "../../src/protocol/meshd/Messages.ts"
import { altered } from "./altered.ts"
import type { Mutant } from "./World.ts"

/** Every fourth acknowledgement is answered and not stored. */
const lostAcknowledgement: Mutant = {
  control: { participants: altered(Participants, Participants.layer, (real) => {
    let count = 0
    return { acknowledge: (network, agent, version) => ++count % 4 === 0 ? Effect.void : real.acknowledge(network, agent, version) }
  }) }
}

class NeverRevokes extends Known {
  #outbound = new Map<string, Plan["outbound"][number]>()
  override plan(): Plan {
    const plan = super.plan()
    for (const permit of plan.outbound) this.#outbound.set(permit.id, permit)
    return { ...plan, outbound: [...this.#outbound.values()] }
  }
}
const permitNotRemoved: Mutant = { agent: { knowledge: Layer.sync(Knowledge, () => new NeverRevokes()) } }

const restartForgets: Mutant = {
  agent: { topologies: altered(Topologies, Topologies.layer, (real) => ({
    receive: (update) => Effect.map(real.receive(update), (received) => ({ ...received, persisted: Effect.void }))
  })) }
}

/** Now and then the version before the newest is sent. */
const outOfOrder: Mutant = {
  control: { snapshots: altered(Snapshots, Snapshots.layer, (real) => {
    const before = new Map<string, Topology>()
    let count = 0
    return { latest: (network) => Effect.map(real.latest(network), Option.map((topology) => {
      const older = before.get(network)
      if (older === undefined || older.version < topology.version) before.set(network, topology)
      return older !== undefined && ++count % 4 === 0 ? older : topology
    })) }
  }) }
}

const listenerLeak: Mutant = {
  agent: { aliasListeners: AliasListeners.layer.pipe(Layer.provide(Layer.effect(ActorSystem, Effect.map(ActorSystem, (real) => ActorSystem.of({
    ...real, supervisor: (address) => Effect.map(real.supervisor(address), (ref) => ({ ...ref, stopChild: (id) => id.startsWith("alias/") ? Effect.void : ref.stopChild(id) }))
  }))))) }
}

const staleCredential: Mutant = {
  control: { agents: altered(Agents, Agents.layer, (real) => {
    const known = new Map<string, Option.Option<AgentRow>>()
    return { authenticate: (credential) => known.has(credential) ? Effect.succeed(known.get(credential)!)
      : Effect.tap(real.authenticate(credential), (agent) => Effect.sync(() => { if (Option.isSome(agent)) known.set(credential, agent) })) }
  }) }
}

/** Says so before it is on disk and in force. */
const earlyAcknowledgement: Mutant = {
  agent: { networks: altered(Networks, Networks.layer, (real) => ({
    receive: (update) => Effect.as(Effect.forkDetach(Effect.ignore(real.receive(update))), update._tag === "Snapshot"
      ? { networkId: update.topology.networkId, version: update.topology.version, micros: 1 }
      : { networkId: update.delta.networkId, version: update.delta.version, micros: 1 })
  })) }
}

const sandboxesForgotten: Mutant = { agent: { sandboxes: altered(Sandboxes, Sandboxes.layer, () => ({ children: () => [] })) } }

const fiberLeak: Mutant = {
  agent: { networks: altered(Networks, Networks.layer, (real) => ({ drop: (id) => Effect.andThen(Effect.forkDetach(Effect.never), real.drop(id)) })) }
}

class EndsNothing extends Known {
  override plan(): Plan {
    const plan = super.plan()
    return { ...plan, outbound: plan.outbound.map(({ expiresAt: _, ...permit }) => permit), inbound: plan.inbound.map(({ expiresAt: _, ...permit }) => permit) }
  }
}
const endForgotten: Mutant = { agent: { knowledge: Layer.sync(Knowledge, () => new EndsNothing()) } }

const ruleOutlivesEnd: Mutant = { control: { expiry: Layer.succeed(Expiry, undefined) } }

/** When one network's topology comes, those that have had none since the agent's start are not in force. */
class LosesNetworks extends Known {
  readonly #fresh = new Set<string>()
  override putTopology(topology: Topology): void {
    this.#fresh.add(topology.networkId)
    super.putTopology(topology)
  }
  override plan(): Plan {
    const plan = super.plan()
    if (this.#fresh.size < 2) return plan
    const isThere = ({ network }: { readonly network: string }): boolean => network === [...this.#fresh].at(-1)
    return { ...plan, networks: plan.networks.filter(({ id }) => isThere({ network: id })), outbound: plan.outbound.filter(isThere), inbound: plan.inbound.filter(isThere) }
  }
}
const networkVanishes: Mutant = { agent: { knowledge: Layer.sync(Knowledge, () => new LosesNetworks()) } }

/** A permit ends with the first of its rules instead of the last. */
class EndsWithFirst extends Known {
  override plan(): Plan {
    const plan = super.plan()
    const ends = new Map([...this.topologies.values()].flatMap(({ rules }) => rules.map(({ id, expiresAt = Infinity }) => [id, expiresAt])))
    const early = <P extends Plan["outbound"][number] | Plan["inbound"][number]>({ expiresAt: _, ...permit }: P): P => {
      const first = Math.min(...permit.rules.map((id) => ends.get(id)!))
      return { ...permit, ...(first === Infinity ? {} : { expiresAt: first }) } as P
    }
    return { ...plan, outbound: plan.outbound.map(early), inbound: plan.inbound.map(early) }
  }
}
const firstRuleEndsPermit: Mutant = { agent: { knowledge: Layer.sync(Knowledge, () => new EndsWithFirst()) } }

/** A test calls reachable what is denied. */
const testSaysYes: Mutant = {
  control: { diagnostics: altered(Diagnostics, Diagnostics.layer, (real) => ({
    test: (ref, request, waitMs) => Effect.map(real.test(ref, request, waitMs), (run) => run.verdict === "denied" ? { ...run, verdict: "reachable" } : run)
  })) }
}

export const mutants = {
  lostAcknowledgement, permitNotRemoved, restartForgets, outOfOrder, listenerLeak, staleCredential, earlyAcknowledgement, sandboxesForgotten, fiberLeak, endForgotten, ruleOutlivesEnd,
  networkVanishes, firstRuleEndsPermit, testSaysYes
} satisfies Readonly<Record<string, Mutant>>
