/**
 * What this host knows of its streams: a record of each that has ended, those that are open, and what was refused. Kept here, within
 * bounds, and told to whoever asks through the control plane. Nothing here can slow a stream or stop one.
 */
import { Clock, Context, Effect, Layer, Semaphore, Stream } from "effect"
import { join } from "node:path"
import { type AliasMetrics, counted, opened, withCarried, withOpen } from "../domain/AliasMetrics.ts"
import { type Flow, type FlowAnswer, type FlowQuery, isAskedFor, mostFlows, type Refusal } from "../domain/Flow.ts"
import { addTo, type FlowGroup, type GroupAnswer, groupOf, type GroupQuery, mostFrequent, mostGroups } from "../domain/Flow/groups.ts"
import { addRefusal, newest } from "../domain/Flow/together.ts"
import type { AliasId, NetworkId } from "../domain/Ids.ts"
import type { Flow as MeshdFlow } from "../protocol/meshd/Messages.ts"
import { Config } from "./Config.ts"
import { DataPlane, type FlowNews } from "./dataplane/DataPlane.ts"
import { Names } from "./flows/Names.ts"
import { flowOf, openGroup, refusalsOf } from "./flows/record.ts"
import { openRecords, type StoredRecord } from "./flows/Records.ts"
import { RefusalLog } from "./flows/RefusalLog.ts"
import { Knowledge } from "./Knowledge.ts"

export class Flows extends Context.Service<Flows, {
  /** Writes down what meshd tells, for ever. */
  readonly follow: Effect.Effect<void>
  readonly query: (query: FlowQuery) => Effect.Effect<FlowAnswer>
  /** All of them, added up. */
  readonly groups: (query: GroupQuery) => Effect.Effect<GroupAnswer>
  /** Of one network, or of all. */
  readonly metrics: (network: NetworkId | null) => Effect.Effect<ReadonlyArray<AliasMetrics>>
}>()("gstacks/agent/Flows") {
  static readonly layer = Layer.effect(Flows, Effect.suspend(() => make()))
}

/** Open ones that are remembered, for when their meshd ends without a word; and permits of which the open ones are counted. */
const mostOpen = 10_000
/** Aliases that are counted for. */
const mostAliases = 10_000
const readRefusalsEveryMs = 10_000
/** However often somebody asks. */
const leastBetweenReadsMs = 500

/** An open stream as meshd told it last. */
interface Open {
  readonly flow: MeshdFlow
  /** Whether its opening was; one that is older than this agent was not. */
  readonly isCounted: boolean
  /** What it had carried before this agent's start, which counters do not have. */
  readonly before: Carried
}
type Carried = Pick<MeshdFlow, "bytesToTarget" | "bytesToSource">
const nothing: Carried = { bytesToTarget: 0, bytesToSource: 0 }
const since = <A extends Carried>(flow: A, before: Carried): A =>
  ({ ...flow, bytesToTarget: flow.bytesToTarget - before.bytesToTarget, bytesToSource: flow.bytesToSource - before.bytesToSource })

const make = Effect.fnUntraced(function*() {
  const dataPlane = yield* DataPlane
  const knowledge = yield* Knowledge
  const records = yield* openRecords(join((yield* Config).stateDir, "flows"))
  const names = new Names()
  const refusalLog = new RefusalLog()
  const open = new Map<string, Open>()
  const oneAtATime = (yield* Semaphore.make(1)).withPermit
  let instance: string | undefined
  let refusalsRead = yield* Clock.currentTimeMillis

  const metrics = new Map<AliasId, AliasMetrics>()

  const count = <R extends StoredRecord | FlowGroup>(how: (before: AliasMetrics | undefined, record: R) => AliasMetrics | undefined, record: R, into = metrics): void => {
    if (record.aliasId === null || (into.size >= mostAliases && !into.has(record.aliasId))) return
    const now = how(into.get(record.aliasId), record)
    if (now !== undefined) into.set(record.aliasId, now)
  }
  /** For counting, the path it takes does not matter. */
  const carriedBy = ({ before, flow }: Open): Flow => flowOf(since(flow, before), null, names, undefined)

  const write = (flow: Flow, before = nothing): void => {
    records.add(flow)
    count(counted, since(flow, before))
  }
  const noteOpen = (flow: MeshdFlow): void => {
    count(opened, flowOf(flow, null, names, undefined))
    if (open.size < mostOpen || open.has(flow.id)) open.set(flow.id, { flow, isCounted: true, before: nothing })
  }

  const learn = Effect.gen(function*() {
    names.learn(knowledge.topologies)
    yield* knowledge.until(() => !names.know(knowledge.topologies))
  }).pipe(Effect.forever)

  /** With a meshd of before, open flows have ended; with the same one, what ended meanwhile was told to nobody. */
  const catchUp = Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    const hello = yield* dataPlane.hello
    if (hello === undefined) return
    const isFirst = instance === undefined, isSame = hello.instance === instance
    instance = hello.instance
    const flows = yield* Effect.flatMap(dataPlane.meshd, (meshd) => meshd.flows(mostOpen))
    const still = new Set(flows.map(({ id }) => id))
    for (const known of [...open.values()]) {
      const { before, flow } = known
      if (still.has(flow.id)) continue
      open.delete(flow.id)
      if (isSame) {
        records.noteLost(1)
        count(withCarried, carriedBy(known))
      } else write(flowOf({ ...flow, micros: Math.max(0, now - flow.openedAt) * 1000 }, { end: "stopped", error: "meshd ended; how much it had carried is not known" }, names, yield* dataPlane.node(flow.network)), before)
    }
    for (const flow of flows) {
      const known = open.get(flow.id)
      if (known !== undefined) open.set(flow.id, { ...known, flow })
      else if (isFirst) open.set(flow.id, { flow, isCounted: false, before: flow })
      else noteOpen(flow)
    }
  }).pipe(Effect.ignore)

  const hear = Effect.fnUntraced(function*(news: FlowNews) {
    if (news.event === "connected") return yield* catchUp
    if (news.event === "dropped") {
      records.noteLost(news.data.count)
      return yield* catchUp
    }
    const { phase, end, by, error, ...flow } = news.data
    const known = open.get(flow.id)
    if (phase === "opened") {
      if (known?.isCounted !== true) noteOpen(flow)
      return
    }
    open.delete(flow.id)
    write(flowOf(flow, { ...(end && { end }), ...(by && { by }), ...(error && { error }) }, names, yield* dataPlane.node(flow.network)), known?.before)
  })

  const readRefusals = Effect.gen(function*() {
    const since = refusalsRead, now = yield* Clock.currentTimeMillis
    if (now >= since && now - since < leastBetweenReadsMs) return
    const told = yield* Effect.flatMap(dataPlane.meshd, (meshd) => meshd.refusals)
    refusalsRead = now
    const refusals = refusalsOf(told, names, since, now)
    for (const refusal of refusals) {
      records.add(refusal)
      count(counted, refusal)
    }
    yield* Effect.forEach(refusalLog.lines(refusals, now), (line) => Effect.logInfo(line), { discard: true })
  }).pipe(oneAtATime, Effect.ignore)

  /** Counters must not fall: one that meshd does not list any more goes on counting until its end is heard. */
  const readOpen = Effect.flatMap(dataPlane.meshd, (meshd) => meshd.flows(mostOpen)).pipe(Effect.map((flows) => {
    for (const flow of flows) {
      const known = open.get(flow.id)
      if (known !== undefined) open.set(flow.id, { ...known, flow })
    }
  }), Effect.ignore)

  const openNow = (query: FlowQuery) => Effect.gen(function*() {
    if (query.denied) return []
    const flows = yield* Effect.flatMap(dataPlane.meshd, (meshd) => meshd.flows(mostOpen))
    const node = yield* dataPlane.node(query.networkId)
    return flows.filter(({ network }) => network === query.networkId).map((flow) => flowOf(flow, null, names, node)).filter((flow) => isAskedFor(query, flow))
  }).pipe(Effect.orElseSucceed(() => []))

  /** Undefined: meshd does not tell. */
  const openGroups = Effect.flatMap(dataPlane.meshd, (meshd) => meshd.flowCounts(mostOpen)).pipe(
    Effect.map(({ left, permits }) => ({ groups: permits.map((permit) => openGroup(permit, names)), left })), Effect.orElseSucceed(() => undefined))

  return Flows.of({
    follow: Effect.all([
      records.keep, learn, Stream.runForEachArray(dataPlane.flowNews, (news) => Effect.forEach(news, hear, { discard: true })),
      Effect.forever(Effect.andThen(Effect.sleep(readRefusalsEveryMs), readRefusals))
    ], { concurrency: "unbounded", discard: true }),
    query: Effect.fn("Flows.query")(function*(asked: FlowQuery) {
      const query = { ...asked, limit: Math.min(Math.max(asked.limit, 1), mostFlows) }
      yield* readRefusals
      const open = { flows: yield* openNow(query), refusals: [] }
      const written = yield* records.find({ ...query, limit: query.limit + 1 })
      return { ...newest([written, open], query), lost: records.lost() }
    }),
    groups: Effect.fn("Flows.groups")(function*({ networkId, open: isOpenOnly, withinMs }: GroupQuery) {
      const groups = new Map<string, FlowGroup>(), refusals = new Map<string, Refusal>()
      const add = (group: FlowGroup) => addTo(groups, isOpenOnly ? group : { ...group, targetId: null })
      const { groups: now, left } = (yield* openGroups) ?? { groups: [], left: 0 }
      for (const group of now) if (group.networkId === networkId) add(group)
      if (!isOpenOnly) {
        yield* readRefusals
        yield* records.each(networkId, withinMs, (record) => {
          if (record._tag === "Refusal") addRefusal(refusals, record)
          else if (record.verdict === "allowed") add(groupOf(record))
        })
      }
      const flows = mostFrequent([...groups.values()], mostGroups), refused = mostFrequent([...refusals.values()], mostGroups)
      return { groups: flows.kept, refusals: refused.kept, left: { flows: flows.left + left, refusals: refused.left }, lost: records.lost() }
    }),
    metrics: Effect.fn("Flows.metrics")(function*(network: NetworkId | null) {
      yield* readRefusals
      yield* readOpen
      const now = new Map(metrics)
      const carried = [...open.values()].map(carriedBy)
      for (const stream of carried) count(withCarried, stream, now)
      for (const group of (yield* openGroups)?.groups ?? carried.map(groupOf)) count(withOpen, group, now)
      return [...now.values()].filter(({ networkId }) => network === null || networkId === network)
    })
  })
})
