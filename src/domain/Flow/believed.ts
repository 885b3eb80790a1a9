/**
 * What of an agent's word is believed: as a stream's source only what the agent hosts, as its target only an alias that it serves. Pure. Names
 * are the control plane's; what is gone keeps the one that its host remembers, unless something that is there has it now.
 */
import { Schema } from "effect"
import { type AliasMetrics, otherSources } from "../AliasMetrics.ts"
import type { Flow, FlowAnswer, Refusal, Role } from "../Flow.ts"
import type { FlowGroup, GroupAnswer } from "./groups.ts"
import { type AgentId, type AliasId, LocalNodeId, type NetworkId } from "../Ids.ts"

interface Owned { readonly id: string; readonly name: string; readonly agentId: AgentId | null }

/** Those that there are, with the agent that hosts them: null: a developer's machine does. */
export class Owners {
  readonly #byId = new Map<string, Owned>()
  readonly #byName = new Map<string, Owned>()
  constructor(all: ReadonlyArray<Owned>) {
    for (const one of all) {
      this.#byId.set(one.id, one)
      this.#byName.set(one.name, one)
    }
  }
  get(id: string): Owned | undefined { return this.#byId.get(id) }
  named(name: string): Owned | undefined { return this.#byName.get(name) }
  /** What is gone may have been anybody's. */
  mayHaveBeen(agent: AgentId, id: string): boolean { return !this.#byId.has(id) || this.#byId.get(id)!.agentId === agent }
  nameOf(id: string, claimed: string): string { return this.#byId.get(id)?.name ?? (this.#byName.has(claimed) ? id : claimed) }
}

const isLocalNode = Schema.is(LocalNodeId)
const areCounts = (...numbers: ReadonlyArray<number | null>): boolean => numbers.every((number) => number === null || number >= 0)

type Told = Flow | FlowGroup | Refusal

/** What that agent may tell of, and how it is called. */
const judgeFor = (agent: AgentId, sandboxes: Owners, aliases: Owners) => {
  const hosts = (sourceId: string): boolean => !isLocalNode(sourceId) && sandboxes.mayHaveBeen(agent, sourceId)
  /** One that is not known by its id must not be called as one that is. */
  const serves = ({ aliasId, alias }: Told): boolean => aliasId === null ? aliases.named(alias) === undefined : aliases.mayHaveBeen(agent, aliasId)
  const isTold = (record: Told, by: Role): boolean =>
    by === "source" ? hosts(record.sourceId) : serves(record) && (record._tag === "Refusal" || record.targetId === null || sandboxes.mayHaveBeen(agent, record.targetId))

  const sourceOf = ({ source, sourceId }: Told): string => {
    if (source.startsWith("local:")) return isLocalNode(sourceId) ? source : sourceId
    return source.startsWith("sandbox:") ? `sandbox:${sandboxes.nameOf(sourceId, source.slice("sandbox:".length))}` : source
  }
  const named = <A extends Told>(record: A): A =>
    ({ ...record, source: sourceOf(record), alias: record.aliasId === null ? record.alias : aliases.nameOf(record.aliasId, record.alias) })
  return {
    named,
    toldBy: (record: Flow | FlowGroup): ReadonlyArray<Role> => record.seenBy.filter((role) => isTold(record, role)),
    refusals: (all: ReadonlyArray<Refusal>): ReadonlyArray<Refusal> =>
      all.filter((refusal) => isTold(refusal, refusal.by) && areCounts(refusal.count, refusal.firstAt, refusal.lastAt)).map(named)
  }
}

/** `refused`: how many were not believed. */
export const believed = ({ flows, refusals, ...rest }: FlowAnswer, agent: AgentId, sandboxes: Owners, aliases: Owners) => {
  const judge = judgeFor(agent, sandboxes, aliases)

  const goodFlows = flows.flatMap((flow): ReadonlyArray<Flow> => {
    const seenBy = judge.toldBy(flow)
    const numbers = [flow.openedAt, flow.closedAt, flow.micros, flow.connectMicros, flow.firstByteMicros, flow.bytesToTarget, flow.bytesToSource]
    return seenBy.length === 0 || !areCounts(...numbers) ? []
      : [{ ...judge.named(flow), seenBy, target: flow.targetId === null ? flow.target : sandboxes.nameOf(flow.targetId, flow.target) }]
  })
  const goodRefusals = judge.refusals(refusals)
  return { answer: { ...rest, flows: goodFlows, refusals: goodRefusals }, refused: flows.length - goodFlows.length + refusals.length - goodRefusals.length }
}

/** The same of what an agent has added up. */
export const believedGroups = ({ groups, refusals }: Pick<GroupAnswer, "groups" | "refusals">, agent: AgentId, sandboxes: Owners, aliases: Owners) => {
  const judge = judgeFor(agent, sandboxes, aliases)
  const goodGroups = groups.flatMap((group): ReadonlyArray<FlowGroup> => {
    const seenBy = judge.toldBy(group)
    return seenBy.length === 0 || !areCounts(group.count, group.firstAt, group.lastAt) ? [] : [{ ...judge.named(group), seenBy }]
  })
  const goodRefusals = judge.refusals(refusals)
  return { groups: goodGroups, refusals: goodRefusals, refused: groups.length - goodGroups.length + refusals.length - goodRefusals.length }
}

interface KnownAlias { readonly id: AliasId; readonly networkId: NetworkId; readonly name: string }

/** What is known when figures are told; `takesPart`: the agent that tells them. */
export interface Known { readonly sandboxes: Owners; readonly aliases: ReadonlyMap<AliasId, KnownAlias>; readonly takesPart: (network: NetworkId) => boolean }

/** The figures of aliases that there are, in networks that the agent takes part in, each once; sources of its own are counted by name. Those of aliases that are gone are left out. */
export const believedMetrics = (told: ReadonlyArray<AliasMetrics>, agent: AgentId, { aliases, sandboxes, takesPart }: Known) => {
  const good = new Map<AliasId, AliasMetrics>()
  const ofThoseThere = told.filter(({ aliasId }) => aliases.has(aliasId))
  for (const metrics of ofThoseThere) {
    const alias = aliases.get(metrics.aliasId)!
    const numbers = [
      metrics.opened ?? 0, metrics.open ?? 0, metrics.refusals, metrics.bytesToTarget, metrics.bytesToSource, ...Object.values(metrics.streams), ...Object.values(metrics.limited ?? {}),
      ...[metrics.connect, metrics.firstByte].flatMap(({ buckets, sumMicros }) => [...buckets, sumMicros])
    ]
    if (alias.networkId !== metrics.networkId || !takesPart(alias.networkId) || good.has(alias.id) || !areCounts(...numbers)) continue
    const limited: Record<string, number> = {}
    for (const [source, count] of Object.entries(metrics.limited ?? {})) {
      const isItsOwn = source.startsWith("local:") || sandboxes.named(source.slice("sandbox:".length))?.agentId === agent
      const counter = isItsOwn ? source : otherSources
      limited[counter] = (limited[counter] ?? 0) + count
    }
    good.set(alias.id, { ...metrics, alias: alias.name, ...(metrics.limited === undefined ? {} : { limited }) })
  }
  return { metrics: [...good.values()], refused: ofThoseThere.length - good.size }
}
