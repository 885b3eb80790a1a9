/**
 * Figures of aliases: agents count them from the opening of each stream to its end and from what was refused, since their start, and they add
 * up over agents. A stream counts where it comes from, or, from a developer's machine, where it goes to: once.
 */
import { Schema } from "effect"
import { type Flow, FlowEnd, type Refusal } from "./Flow.ts"
import type { FlowGroup } from "./Flow/groups.ts"
import { AliasId, LocalNodeId, NetworkId } from "./Ids.ts"

/** Upper bounds in microseconds; what is above the last one has a bucket too. */
export const bounds: ReadonlyArray<number> = [100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000]

export const Histogram = Schema.Struct({ buckets: Schema.Array(Schema.Int), sumMicros: Schema.Finite })
export type Histogram = typeof Histogram.Type

export const AliasMetrics = Schema.Struct({
  networkId: NetworkId, aliasId: AliasId, alias: Schema.String,
  /** Streams that reached their target, and those that are open now. Absent: an older agent's. */
  opened: Schema.optionalKey(Schema.Int), open: Schema.optionalKey(Schema.Int),
  /** Streams by how they ended, and attempts that never became one. */
  streams: Schema.Record(FlowEnd, Schema.Int), refusals: Schema.Int,
  /** Of those that are open too. */
  bytesToTarget: Schema.Finite, bytesToSource: Schema.Finite,
  connect: Histogram, firstByte: Histogram,
  /** Of the streams that ended at a limit: how many, by source as rules name it. Absent: none, or an older agent. */
  limited: Schema.optionalKey(Schema.Record(Schema.String, Schema.Int))
})
export type AliasMetrics = typeof AliasMetrics.Type

/** What the agents of a network count together. `problem` null: that agent answered. */
export const NetworkMetrics = Schema.Struct({
  aliases: Schema.Array(AliasMetrics), agents: Schema.Array(Schema.Struct({ agent: Schema.String, problem: Schema.NullOr(Schema.String) }))
})
export type NetworkMetrics = typeof NetworkMetrics.Type

export const ends = FlowEnd.literals
const none: Histogram = { buckets: [...bounds.map(() => 0), 0], sumMicros: 0 }
const isLocalNode = Schema.is(LocalNodeId)

const observed = (histogram: Histogram, micros: number | null): Histogram => {
  if (micros === null) return histogram
  const found = bounds.findIndex((bound) => micros <= bound)
  return { buckets: histogram.buckets.with(found < 0 ? bounds.length : found, histogram.buckets.at(found)! + 1), sumMicros: histogram.sumMicros + micros }
}

type Named = Pick<AliasMetrics, "networkId" | "aliasId" | "alias">
const empty = ({ alias, aliasId, networkId }: Named): AliasMetrics => ({
  networkId, aliasId, alias, opened: 0, open: 0, streams: Object.fromEntries(ends.map((end) => [end, 0])) as AliasMetrics["streams"], refusals: 0, bytesToTarget: 0, bytesToSource: 0, connect: none, firstByte: none
})

/** Sources of one alias that are counted apart; the rest is together. */
const mostSources = 100
export const otherSources = "others"

type Limited = Readonly<Record<string, number>>
const more = (limited: Limited, source: string, count: number): Limited => {
  const counter = source in limited || Object.keys(limited).length < mostSources ? source : otherSources
  return { ...limited, [counter]: (limited[counter] ?? 0) + count }
}
const limitedTogether = (...all: ReadonlyArray<Limited | undefined>): Pick<AliasMetrics, "limited"> => {
  const entries = all.flatMap((limited) => Object.entries(limited ?? {}))
  return entries.length === 0 ? {} : { limited: entries.reduce<Limited>((sum, [source, count]) => more(sum, source, count), {}) }
}

const isCounted = ({ seenBy, sourceId }: Flow | FlowGroup): boolean => seenBy.includes("source") || isLocalNode(sourceId)
const of = (before: AliasMetrics | undefined, named: Named): AliasMetrics => ({ ...before ?? empty(named), alias: named.alias })
const carried = (metrics: AliasMetrics, flow: Flow): AliasMetrics =>
  ({ ...metrics, bytesToTarget: metrics.bytesToTarget + flow.bytesToTarget, bytesToSource: metrics.bytesToSource + flow.bytesToSource })

type Count = (before: AliasMetrics | undefined, flow: Flow) => AliasMetrics | undefined
/** With one more flow that has just opened. */
export const opened: Count = (before, flow) => isCounted(flow) ? { ...of(before, flow), opened: (before?.opened ?? 0) + 1 } : before
/** With those that are open now. */
export const withOpen = (before: AliasMetrics | undefined, group: FlowGroup): AliasMetrics | undefined =>
  isCounted(group) ? { ...of(before, group), open: (before?.open ?? 0) + group.count } : before
/** With what one has carried that is open, or whose end nobody told. */
export const withCarried: Count = (before, flow) => isCounted(flow) ? carried(of(before, flow), flow) : before

/** With one more flow that has ended, or the attempts of a refusal; as it was, when those are counted elsewhere. */
export const counted = (before: AliasMetrics | undefined, record: Flow | Refusal): AliasMetrics | undefined => {
  if (record.aliasId === null) return before
  const metrics = of(before, { ...record, aliasId: record.aliasId })
  if (record._tag === "Refusal") return record.by === "source" ? { ...metrics, refusals: metrics.refusals + record.count } : before
  if (record.end === null || !isCounted(record)) return before
  return {
    ...carried(metrics, record), streams: { ...metrics.streams, [record.end]: metrics.streams[record.end] + 1 },
    connect: observed(metrics.connect, record.connectMicros), firstByte: observed(metrics.firstByte, record.firstByteMicros),
    ...(record.end === "limit" ? limitedTogether(metrics.limited, { [record.source]: 1 }) : {})
  }
}

const sum = (a: Histogram, b: Histogram): Histogram => ({ buckets: none.buckets.map((_, i) => (a.buckets[i] ?? 0) + (b.buckets[i] ?? 0)), sumMicros: a.sumMicros + b.sumMicros })

const both = (a: AliasMetrics, b: AliasMetrics): AliasMetrics => ({
  ...a, opened: (a.opened ?? 0) + (b.opened ?? 0), open: (a.open ?? 0) + (b.open ?? 0), streams: Object.fromEntries(ends.map((end) => [end, a.streams[end] + b.streams[end]])) as AliasMetrics["streams"], refusals: a.refusals + b.refusals,
  bytesToTarget: a.bytesToTarget + b.bytesToTarget, bytesToSource: a.bytesToSource + b.bytesToSource, connect: sum(a.connect, b.connect), firstByte: sum(a.firstByte, b.firstByte),
  ...limitedTogether(a.limited, b.limited)
})

/** One set for each alias, by name. */
export const together = (metrics: ReadonlyArray<AliasMetrics>): ReadonlyArray<AliasMetrics> => {
  const aliases = new Map<AliasId, AliasMetrics>()
  for (const one of metrics) {
    const known = aliases.get(one.aliasId)
    aliases.set(one.aliasId, known === undefined ? one : both(known, one))
  }
  return [...aliases.values()].sort((a, b) => a.alias < b.alias ? -1 : a.alias > b.alias ? 1 : 0)
}

export const countOf = ({ buckets }: Histogram): number => buckets.reduce((total, count) => total + count, 0)

/** The bound under which that share of all lies: Infinity above the last, undefined when there is nothing. */
export const quantile = (histogram: Histogram, share: number): number | undefined => {
  const wanted = countOf(histogram) * share
  let seen = 0
  for (const [i, count] of histogram.buckets.entries()) {
    seen += count
    if (count > 0 && seen >= wanted) return bounds[i] ?? Infinity
  }
  return undefined
}
