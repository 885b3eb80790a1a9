/** Opens and ends agents' sessions: the typed client of the reverse direction, the lanes that push topologies, and the actor that watches over both. */
import { Context, Deferred, Effect, Layer, Option, type Schema, Stream } from "effect"
import type { RpcMessage } from "effect/rpc"
import { agentSessionMachine } from "../../actors/machines/agentSession.ts"
import { ActorSystem } from "../../actors/runtime/ActorSystem.ts"
import * as Bridge from "../../actors/runtime/bridge.ts"
import { machineChild } from "../../actors/runtime/ChildSpec.ts"
import type { HostFacts } from "../../domain/Agent.ts"
import { AgentUnavailable, type StoreUnavailable } from "../../domain/Problems.ts"
import type { SandboxStatus } from "../../domain/Sandbox.ts"
import { Agents } from "../Agents.ts"
import type { ClosedStreams } from "../ClosedStreams.ts"
import { sessionsAddress } from "../actorAddresses.ts"
import { type Lanes, makeLanes } from "../Lanes.ts"
import type { AgentRow } from "../Lookups.ts"
import { News } from "../News.ts"
import { Participants } from "../Participants.ts"
import { Refusals } from "../Refusals.ts"
import { Sandboxes } from "../Sandboxes.ts"
import { callOn, type Session, Sessions } from "../Sessions.ts"
import { Snapshots } from "../Snapshots.ts"
import { Tree } from "../Tree.ts"
import { makeReverseClient } from "./reverse.ts"

type Deliver = (message: RpcMessage.FromServerEncoded) => Effect.Effect<void>

const make = Effect.gen(function*() {
  const actors = yield* ActorSystem
  const agents = yield* Agents
  const participants = yield* Participants
  const sandboxes = yield* Sandboxes
  const sessions = yield* Sessions
  const services = yield* Effect.context<ClosedStreams | News | Participants | Refusals | Snapshots>()
  const bridge = yield* Bridge.make<never>()
  yield* Tree
  const replies = new Map<number, Deliver>()

  /** What the agent has, and what it ought to have. */
  const takeStock = (session: Session, lanes: Lanes): Effect.Effect<void, AgentUnavailable | StoreUnavailable> => Effect.gen(function*() {
    const inventory = yield* callOn(session, "5 seconds", (client) => client.Inventory())
    const mine = (yield* participants.ofAgent(session.agentId)).filter(({ applied, leftVersion }) => leftVersion === null || (applied ?? 0) < leftVersion)
    const has = new Map(inventory.map(({ networkId, version }) => [networkId, version]))
    const stored = new Map(mine.map(({ applied, networkId }) => [networkId, applied ?? 0]))
    for (const networkId of new Set([...has.keys(), ...stored.keys()])) yield* lanes.kick(networkId, { has: has.get(networkId), stored: stored.get(networkId) })
  })
  const heartbeat = (session: Session): Effect.Effect<void, AgentUnavailable | StoreUnavailable> =>
    Effect.asVoid(callOn(session, "5 seconds", (client) => client.Inventory()))

  /** Whether it was this one that counted. */
  const depart = (session: Session) => Effect.gen(function*() {
    yield* Deferred.succeed(session.ended, undefined)
    if (!(yield* sessions.forget(session))) return false
    yield* Effect.logInfo(`Agent "${session.agent}" is gone.`)
    yield* Effect.ignore(agents.gone(session.agentId))
    return true
  })

  /** The stream may not end before a host that is gone without a word is found out by TCP. */
  const end = (session: Session) => Effect.andThen(session.close, Effect.asVoid(depart(session)))

  const machineFor = (session: Session, lanes: Lanes) => agentSessionMachine.provide({
    actors: {
      takeStock: bridge.fromEffect(() => takeStock(session, lanes)),
      synchronize: bridge.fromEffect((): Effect.Effect<void, AgentUnavailable | StoreUnavailable> => lanes.firstRounds),
      heartbeat: bridge.fromEffect(() => heartbeat(session)),
      close: bridge.fromEffect(({ reason }: { reason: string }) => Effect.andThen(
        reason === "" ? Effect.void : Effect.logWarning(`The connection of agent "${session.agent}" is closed. ${reason}`),
        end(session)
      ))
    }
  })

  /** The stream of calls to the agent; the session lasts as long as it. */
  const attach = Effect.fn("AgentSessions.attach")(function*(agent: AgentRow, connection: number, facts: HostFacts, statuses: ReadonlyArray<SandboxStatus>) {
    const { client, deliver, outbox, close } = yield* makeReverseClient(agent).pipe(Effect.provideContext(services))
    const ended = yield* Deferred.make<void>()
    const troubles = new Map()
    let lanes: Lanes | undefined
    const session: Session = { agentId: agent.id, agent: agent.name, connection, client, ended, troubles, close, kick: (network) => lanes?.kick(network) ?? Effect.void }
    lanes = yield* makeLanes(session).pipe(Effect.provideContext(services))

    const child = `agentSession/${agent.id}`
    yield* Effect.addFinalizer(() => Effect.gen(function*() {
      if (replies.get(connection) === deliver) replies.delete(connection)
      if (yield* depart(session)) yield* stop(child)
    }))
    replies.set(connection, deliver)
    const replaced = yield* sessions.open(session)
    if (Option.isSome(replaced)) {
      yield* Effect.logWarning(`Agent "${agent.name}" connected again; its older connection is closed. If this repeats, two hosts use one credential.`)
    }
    yield* Effect.ignore(agents.seen(agent.id, facts))
    for (const status of statuses) {
      yield* Effect.catch(sandboxes.report(agent, status), (problem) => Effect.logWarning(`A report of agent "${agent.name}" was not recorded: ${problem.message}`))
    }
    yield* stop(child) // the older connection's, which this closes
    const supervisor = yield* Effect.orDie(actors.supervisor(sessionsAddress))
    yield* Effect.orDie(supervisor.startChild(machineChild({
      id: child, logic: machineFor(session, lanes), input: { agentId: agent.id, agent: agent.name }, restart: "temporary", shutdownMs: 2000, stopEvent: { type: "session.stop" }, redact: ["agent", "reason"]
    })))
    // However its actor ends: a connection that nobody watches over would outlive its host.
    yield* Effect.forkScoped(Effect.andThen(Effect.ignore(actors.waitFor(`${sessionsAddress}/${child}`, () => false)), end(session)))
    yield* Effect.logInfo(`Agent "${agent.name}" is connected.`)
    return Stream.fromQueue(outbox)
  })

  const stop = (child: string) => Effect.ignore(Effect.flatMap(actors.supervisor(sessionsAddress), (supervisor) => supervisor.stopChild(child)))

  return {
    attach,
    /** Whether this connection is its agent's, and not one that a newer one has replaced: what was under way on that is older than what the newer one says. */
    isCurrent: (agent: AgentRow["id"], connection: number): boolean => Option.exists(sessions.get(agent), (session) => session.connection === connection),
    /** An answer of the agent that attached on this connection. */
    deliver: (connection: number, message: Schema.Json): Effect.Effect<void> =>
      replies.get(connection)?.(message as unknown as RpcMessage.FromServerEncoded) ?? Effect.void
  }
})

export class AgentSessions extends Context.Service<AgentSessions, Effect.Success<typeof make>>()("gstacks/control/AgentSessions") {
  static readonly layer = Layer.effect(AgentSessions, make)
}
