/**
 * What meshd is to do on a developer's machine: carry what the rules let this user reach, as the node that it is, and let in those whom rules let
 * reach what it publishes. Pure.
 */
import { compileZone } from "../agent/dns/zone.ts"
import { inboundOf } from "../agent/plan/permits.ts"
import type { AliasId, SandboxId } from "../domain/Ids.ts"
import { expiryOf, localsTo, pairsTo } from "../domain/Policy.ts"
import type { Topology } from "../domain/Topology.ts"
import type { Inbound, Outbound, Plan } from "../protocol/meshd/Messages.ts"

/** A command that sees a network as a sandbox would: the process whose network namespace is its own. */
export interface RunningCommand { readonly id: SandboxId; readonly network: string; readonly pid: number; readonly startTime: number }

/** Of one network, as the control plane shows it to this machine: it is the only local node in it. */
const outboundOf = (topology: Topology): ReadonlyArray<Outbound> => {
  const nodes = new Map(topology.agents.map((agent) => [agent.id, agent.node]))
  return topology.aliases.flatMap((alias) => {
    const target = alias.agentId && nodes.get(alias.agentId)
    if (!target) return []
    return localsTo(alias, topology.rules.filter((rule) => rule.aliasId === alias.id), topology.localNodes).map(({ node, port, rules }): Outbound => ({
      id: `o/${node.id}/${alias.address}:${port}`, sandbox: node.id, network: topology.networkId, alias: alias.id, address: alias.address, port,
      target: { kind: "node", node: target.id, address: target.address }, rules: rules.map((rule) => rule.id),
      expiresAt: Math.min(node.expiresAt, expiryOf(rules) ?? Infinity)
    }))
  })
}

/** The port of the loopback behind each alias that this machine publishes. */
export type Loopback = ReadonlyMap<AliasId, number>

const inbound = (topology: Topology, loopback: Loopback): ReadonlyArray<Inbound> => {
  const nodes = new Map(topology.agents.map((agent) => [agent.id, agent.node]))
  const aliases = new Map(topology.aliases.map((alias) => [alias.id, alias]))
  return topology.localNodes.flatMap((self) => topology.aliases.flatMap((alias) => {
    const port = loopback.get(alias.id)
    if (port === undefined || alias.local?.nodeId !== self.id) return []
    return pairsTo(alias, topology.rules.filter((rule) => rule.aliasId === alias.id), topology.members, aliases).flatMap((pair) => {
      const node = nodes.get(pair.member.agentId)
      return node ? [inboundOf(topology, pair, node.id, { loopback: port }, self)] : []
    })
  }))
}

/** To meshd a command is a sandbox; to the hosts it is the machine that it runs on. */
const commandsOf = (topology: Topology, outbound: ReadonlyArray<Outbound>, commands: ReadonlyArray<RunningCommand>): ReadonlyArray<Outbound> =>
  commands.filter(({ network }) => network === topology.name).flatMap(({ id }) => outbound.map((permit): Outbound =>
    ({ ...permit, id: `o/${id}/${permit.address}:${permit.port}`, sandbox: id, source: permit.sandbox })))

const zoneOf = (network: string): string => `z/${network}`

/** Without the aliases that are here for what this machine publishes. */
const reachable = (topology: Topology): Topology => ({
  ...topology, aliases: topology.aliases.filter((alias) => localsTo(alias, topology.rules.filter((rule) => rule.aliasId === alias.id), topology.localNodes).length > 0)
})

/** A command whose network has been left sees a zone without names. */
export const localPlan = (topologies: ReadonlyArray<Topology>, commands: ReadonlyArray<RunningCommand>, loopback: Loopback = new Map()): Plan => ({
  networks: topologies.map((topology) => ({ id: topology.networkId, topologyVersion: topology.version })),
  zones: [...new Set(commands.map(({ network }) => network))].map((network) => compileZone(zoneOf(network), topologies.filter(({ name }) => name === network).map(reachable))),
  sandboxes: commands.map(({ id, network, pid, startTime }) => ({ id, pid, startTime, zone: zoneOf(network) })),
  outbound: topologies.flatMap((topology) => {
    const outbound = outboundOf(topology)
    return [...outbound, ...commandsOf(topology, outbound, commands)]
  }),
  inbound: topologies.flatMap((topology) => inbound(topology, loopback))
})
