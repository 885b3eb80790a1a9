/** What this process knows of the networks that it has joined, and of the commands that see them. What meshd does follows from it, and so does whether a forward may be open. */
import { Context, Effect, Layer } from "effect"
import { Desired } from "../agent/dataplane/Desired.ts"
import type { AliasName, Port } from "../domain/DnsLabel.ts"
import type { AliasId, RuleId, SandboxId } from "../domain/Ids.ts"
import { hasExpired, localsTo } from "../domain/Policy.ts"
import type { Topology, TopologyAlias, TopologyLocalNode } from "../domain/Topology.ts"
import { localPlan, type RunningCommand } from "./plan.ts"
import { Places } from "./Places.ts"

export interface Way { readonly self: TopologyLocalNode; readonly alias: TopologyAlias; readonly rules: ReadonlyArray<RuleId> }

const lives = (now: number) => ({ expiresAt }: TopologyLocalNode): boolean => expiresAt > now

export class Known extends Context.Service<Known, {
  readonly topology: (network: string) => Topology | undefined
  readonly put: (network: string, topology: Topology) => void
  readonly drop: (network: string) => void
  /** Whether this machine's time in the network is over: hosts let nothing of it in any more. */
  readonly hasEnded: (network: string, now: number) => boolean
  /** When the time of a rule or a join is over next. */
  readonly nextEnd: (now: number) => number
  /** How this machine reaches an alias and port; undefined when nothing permits it. */
  readonly way: (network: string, alias: string, port: number, now: number) => Way | undefined
  /** What this machine may reach in a network. */
  readonly reachable: (network: string, now: number) => ReadonlyArray<{ readonly alias: AliasName; readonly port: Port }>
  /** Calls `listener` after each change; answers how to stop that. */
  readonly onChange: (listener: () => void) => () => void
  readonly topologies: () => ReadonlyArray<Topology>
  readonly putCommand: (command: RunningCommand) => void
  readonly dropCommand: (id: SandboxId) => void
  readonly commands: () => ReadonlyArray<RunningCommand>
  /** The ports of the loopback that aliases of this machine lead to. */
  readonly loopback: Map<AliasId, number>
}>()("gstacks/local/Known") {
  static readonly layer = Layer.sync(Known, () => {
    const topologies = new Map<string, Topology>()
    const commands = new Map<SandboxId, RunningCommand>()
    const listeners = new Set<() => void>()
    const allowed = (topology: Topology, alias: TopologyAlias, now: number) =>
      localsTo(alias, topology.rules.filter((rule) => rule.aliasId === alias.id && !hasExpired(rule, now)), topology.localNodes.filter(lives(now)))
    const changed = () => { for (const listener of [...listeners]) listener() }
    return Known.of({
      loopback: new Map(),
      topologies: () => [...topologies.values()],
      putCommand: (command) => { commands.set(command.id, command) },
      dropCommand: (id) => { commands.delete(id) },
      commands: () => [...commands.values()],
      topology: (network) => topologies.get(network),
      put: (network, topology) => { topologies.set(network, topology); changed() },
      hasEnded: (network, now) => topologies.get(network)?.localNodes.some(lives(now)) === false,
      nextEnd: (now) => [...topologies.values()].flatMap(({ localNodes, rules }) => [...localNodes, ...rules]).reduce((next, { expiresAt = Infinity }) => expiresAt > now && expiresAt < next ? expiresAt : next, Infinity),
      drop: (network) => { if (topologies.delete(network)) changed() },
      way: (network, name, port, now) => {
        const topology = topologies.get(network)
        const alias = topology?.aliases.find((candidate) => candidate.name === name)
        if (topology === undefined || alias === undefined) return undefined
        const found = allowed(topology, alias, now).find((candidate) => candidate.port === port)
        return found === undefined ? undefined : { self: found.node, alias, rules: found.rules.map((rule) => rule.id) }
      },
      reachable: (network, now) => {
        const topology = topologies.get(network)
        return topology === undefined ? [] : topology.aliases.flatMap((alias) => allowed(topology, alias, now).map(({ port }) => ({ alias: alias.name, port })))
      },
      onChange: (listener) => {
        listeners.add(listener)
        return () => { listeners.delete(listener) }
      }
    })
  })
}

/** What meshd is to do, for the data plane that an agent has too. */
export const desired = Layer.effect(Desired, Effect.gen(function*() {
  const { meshdSocket } = yield* Places
  const known = yield* Known
  return Desired.of({ meshdSocket, plan: () => localPlan(known.topologies(), known.commands(), known.loopback) })
}))
