/**
 * One session's networks, each in a lane of its own: a lane brings the agent to the newest topology, one call at a time. What is
 * committed meanwhile is not queued but looked up when the call returns, so a slow agent skips versions instead of lagging
 * behind, and never holds up another agent or network.
 */
import { Clock, Deferred, Effect, Latch, Option, type Scope } from "effect"
import type { NetworkId } from "../domain/Ids.ts"
import type { Topology } from "../domain/Topology.ts"
import type { Enforced } from "../protocol/agent/AgentRpcs.ts"
import { ClosedStreams } from "./ClosedStreams.ts"
import { News } from "./News.ts"
import { Participants } from "./Participants.ts"
import { callOn, type Session } from "./Sessions.ts"
import { Snapshots } from "./Snapshots.ts"
import { stored } from "./Store.ts"

const applyTimeout = 10_000
/** The agent keeps trying by itself; asking again is how we learn that it succeeded. */
const retryAfter = "1 second"
/** Of what an agent says is wrong. */
const longestTrouble = 1024

interface Lane {
  /** Open when the agent may be behind. */
  readonly kicked: Latch.Latch
  readonly firstRound: Deferred.Deferred<void>
  /** The version that the agent has on disk. */
  has: number | null
  /** The newest version that it has acknowledged in this session. */
  acknowledged: number | null
  /** The newest version that it ever acknowledged, where that is known. */
  stored: number | undefined
}

/** What is known of a network when the session begins: the version that the agent said it has, and the one that it once acknowledged. */
export interface Stock { readonly has?: number | undefined; readonly stored?: number | undefined }

export interface Lanes {
  /** Something of this network may be new to the agent. */
  readonly kick: (network: NetworkId, stock?: Stock) => Effect.Effect<void>
  /** Until every lane has tried once. */
  readonly firstRounds: Effect.Effect<void>
}

export const makeLanes = Effect.fn("makeLanes")(function*(session: Session): Effect.fn.Return<Lanes, never, Scope.Scope | ClosedStreams | News | Participants | Snapshots> {
  const closedStreams = yield* ClosedStreams
  const news = yield* News
  const participants = yield* Participants
  const snapshots = yield* Snapshots
  const scope = yield* Effect.scope
  const lanes = new Map<NetworkId, Lane>()
  const agent = { id: session.agentId, name: session.agent }

  const acknowledge = Effect.fnUntraced(function*(networkId: NetworkId, version: number, enforced: Enforced | undefined) {
    const at = yield* Clock.currentTimeMillis
    const item = { _tag: "Acknowledged" as const, networkId, version, at, agentId: agent.id }
    session.troubles.delete(networkId)
    if (enforced?.closed !== undefined) yield* closedStreams.record(networkId, version, agent, enforced.closed, lastEnd(at, enforced.micros, enforced.closed.lastMs))
    yield* news.acknowledging(item)
    yield* participants.acknowledge(networkId, agent.id, version)
    yield* stored(news.tell(item))
  })

  const again = (networkId: NetworkId, lane: Lane, trouble: string) => Effect.andThen(
    Effect.sync(() => session.troubles.set(networkId, trouble.slice(0, longestTrouble))),
    Effect.suspend(() => Deferred.isDoneUnsafe(session.ended) ? Effect.void : Effect.forkIn(Effect.delay(lane.kicked.open, retryAfter), scope))
  )

  /** Only the version that was sent is acknowledged, whatever the agent says: a lie must not reach the receipts of others. */
  const judge = (lane: Lane, sent: Topology, { version, ...enforced }: Enforced & { readonly version: number }) => {
    const { networkId } = sent
    lane.has = version === sent.version ? version : null
    if (version === sent.version) return Effect.andThen(acknowledge(networkId, version, enforced), Effect.sync(() => { lane.acknowledged = lane.stored = version }))
    return again(networkId, lane, version < sent.version ? `still applies version ${version}` : `says that it applied version ${version}, which it was never sent`)
  }

  const apply = Effect.fnUntraced(function*(lane: Lane, topology: Topology) {
    const { networkId } = topology
    const call = (base: number | null) => callOn(session, applyTimeout, (client) => client.ApplyTopology({ update: snapshots.update(topology, base), ...storedOf(lane) }))
    yield* call(lane.has).pipe(
      Effect.catchTag("SnapshotNeeded", () => call(null)),
      Effect.matchEffect({
        onSuccess: (answer) => Effect.suspend(() => judge(lane, topology, answer)),
        onFailure: (problem) => {
          if (problem._tag === "NotApplied") lane.has = problem.version
          return again(networkId, lane, problem._tag === "NotApplied" ? problem.reason : problem._tag === "SnapshotNeeded" ? "it refuses the snapshot" : problem.detail)
        }
      })
    )
  })

  /** The agent hosts no member (any more): once it has withdrawn, there is no need of a lane. */
  const withdraw = Effect.fnUntraced(function*(lane: Lane, networkId: NetworkId, version: number | undefined) {
    const enforced = yield* callOn(session, applyTimeout, (client) => client.DropNetwork({ networkId, ...storedOf(lane) }))
    lane.has = null
    const left = (yield* participants.ofAgent(agent.id)).find((participation) => participation.networkId === networkId)?.leftVersion
    if (left != null) yield* acknowledge(networkId, Math.max(left, version ?? left), enforced ?? undefined)
    session.troubles.delete(networkId)
    if (!lane.kicked.isOpen()) lanes.delete(networkId)
  })

  const round = Effect.fnUntraced(function*(networkId: NetworkId, lane: Lane) {
    const topology = Option.getOrUndefined(yield* snapshots.latest(networkId))
    if (topology?.agents.some((host) => host.id === agent.id)) {
      if (lane.acknowledged !== topology.version) yield* apply(lane, topology)
    } else yield* withdraw(lane, networkId, topology?.version)
  })

  const run = (networkId: NetworkId, lane: Lane) => lane.kicked.await.pipe(
    Effect.andThen(lane.kicked.close),
    Effect.andThen(round(networkId, lane)),
    Effect.catch((problem) => again(networkId, lane, problem.detail)),
    Effect.catchDefect((defect) => Effect.andThen(
      Effect.logError(`Network ${networkId} could not be brought to agent "${agent.name}".`, defect),
      again(networkId, lane, "the control plane failed on it; its log says why")
    )),
    Effect.ensuring(Deferred.succeed(lane.firstRound, undefined)),
    Effect.repeat({ while: () => lanes.get(networkId) === lane })
  )

  return {
    // Found or opened, and kicked, in one step: a lane that ends never takes a kick with it.
    kick: (networkId, { has, stored } = {}) => Effect.suspend(() => {
      const known = lanes.get(networkId)
      const lane = known ?? { kicked: Latch.makeUnsafe(), firstRound: Deferred.makeUnsafe<void>(), has: null, acknowledged: null, stored: undefined }
      if (has !== undefined) lane.has = has
      lane.stored ??= stored
      lane.kicked.openUnsafe()
      if (known !== undefined) return Effect.void
      lanes.set(networkId, lane)
      return Effect.asVoid(Effect.forkIn(run(networkId, lane), scope))
    }),
    firstRounds: Effect.suspend(() => Effect.forEach([...lanes.values()], (lane) => Deferred.await(lane.firstRound), { discard: true }))
  }
})

const storedOf = ({ stored }: Lane): { readonly acknowledged?: number } => stored === undefined ? {} : { acknowledged: stored }

/**
 * When the last stream had ended, at most, by this clock alone: the acknowledgement came at `at`, and the agent says how long before its
 * answer that was. The way of the answer is counted in.
 */
const lastEnd = (at: number, micros: number, lastMs: number): number => at - Math.min(Math.max(0, micros / 1000 - lastMs), applyTimeout)
