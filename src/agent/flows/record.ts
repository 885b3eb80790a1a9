/** What meshd tells, in the words of the network: its flows and refusals as records. Pure. */
import { Array } from "effect"
import type { Flow, Refusal } from "../../domain/Flow.ts"
import { type FlowGroup, mostRules } from "../../domain/Flow/groups.ts"
import { mergeRefusals } from "../../domain/Flow/together.ts"
import type { SandboxId } from "../../domain/Ids.ts"
import type { Flow as MeshdFlow, FlowEvent, NodeStatus, OpenFlows, Refusals } from "../../protocol/meshd/Messages.ts"
import type { Names } from "./Names.ts"

type Ending = Pick<FlowEvent, "end" | "by" | "error">

type Aimed = Pick<MeshdFlow, "alias" | "direction" | "target">
const targetOf = ({ alias, direction, target }: Aimed, names: Names): SandboxId | null => direction === "outbound" ? names.alias(alias)?.sandboxId ?? null : target as SandboxId
const rolesOf = ({ direction }: Aimed): Flow["seenBy"] => direction === "local" ? ["source", "target"] : [direction === "outbound" ? "source" : "target"]

/** Of streams that are open. */
export const openGroup = (flows: OpenFlows, names: Names): FlowGroup => ({
  _tag: "FlowGroup", networkId: flows.network, sourceId: flows.source, source: names.source(flows.source), aliasId: flows.alias, alias: names.alias(flows.alias)?.alias ?? flows.alias,
  port: flows.port, targetId: targetOf(flows, names), seenBy: rolesOf(flows), rules: flows.rules.slice(0, mostRules), count: flows.count, firstAt: flows.firstOpenedAt, lastAt: flows.openedAt
})

/** Null: it is open. */
export const flowOf = (flow: MeshdFlow, ending: Ending | null, names: Names, node: NodeStatus | undefined): Flow => {
  const alias = names.alias(flow.alias), targetId = targetOf(flow, names)
  return {
    _tag: "Flow", id: flow.stream, networkId: flow.network, sourceId: flow.source, source: names.source(flow.source),
    aliasId: flow.alias, alias: alias?.alias ?? flow.alias, port: flow.port, targetId, target: targetId === null ? names.source(flow.target) : names.sandbox(targetId),
    seenBy: rolesOf(flow),
    rules: flow.rules, verdict: ending?.end === "refused" ? "denied" : "allowed",
    path: flow.direction === "local" ? "local" : pathOf(flow, node),
    openedAt: flow.openedAt, closedAt: ending === null ? null : flow.openedAt + Math.round(flow.micros / 1000),
    end: ending?.end ?? null, by: ending?.by ?? null, error: ending?.error ?? null,
    micros: flow.micros, connectMicros: flow.connectMicros ?? null, firstByteMicros: flow.firstByteMicros ?? null,
    bytesToTarget: flow.bytesToTarget, bytesToSource: flow.bytesToSource
  }
}

const pathOf = ({ peer }: MeshdFlow, node: NodeStatus | undefined): Flow["path"] => {
  const path = node?.peers.find(({ nodeId }) => nodeId === peer)?.path
  return path === undefined || path === "none" ? "unknown" : path
}

/** Of one source and alias in one reading: a scan of ports must not drive everything else out of the records. */
const mostPorts = 16
const otherPorts = 0
const mostPeers = 64

const fewPorts = (refusals: ReadonlyArray<Refusal>): ReadonlyArray<Refusal> =>
  Object.values(Array.groupBy(refusals, ({ sourceId, networkId, alias }) => `${sourceId} ${networkId} ${alias}`)).flatMap((ports) => {
    const [...byCount] = ports.toSorted((a, b) => b.count - a.count)
    const rest = byCount.splice(mostPorts)
    return rest.length === 0 ? byCount : [...byCount, { ...rest[0]!, port: otherPorts, count: rest.reduce((sum, { count }) => sum + count, 0) }]
  })

/**
 * Counted since `since`. What a sandbox tried at addresses that no alias of the agent's networks has is nobody's business but its own; a
 * peer that is refused is named by what it claims.
 */
export const refusalsOf = ({ outbound, inbound }: Refusals, names: Names, since: number, now: number): ReadonlyArray<Refusal> => {
  const times = { firstAt: Math.min(since, now), lastAt: now }
  return mergeRefusals([
    ...fewPorts(outbound.flatMap(({ sandbox, address, port, count }): ReadonlyArray<Refusal> => {
      const target = names.holder(address)
      return target === undefined ? [] : [{
        _tag: "Refusal", networkId: target.networkId, sourceId: sandbox, source: names.source(sandbox), aliasId: target.aliasId, alias: target.alias, port, by: "source", count, ...times
      }]
    })),
    ...inbound.slice(0, mostPeers).map(({ network, source, alias, port, count }): Refusal => {
      const target = names.alias(alias)
      return {
        _tag: "Refusal", networkId: network, sourceId: source, source: names.source(source), aliasId: target?.aliasId ?? null, alias: target?.alias ?? alias, port, by: "target", count, ...times
      }
    })
  ])
}
