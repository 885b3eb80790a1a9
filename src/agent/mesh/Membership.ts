/** The steps of joining and leaving a network's mesh, for the machine `networkJoin`. */
import { Context, Effect, Layer, Result, Stream } from "effect"
import type { Joined, JoinProblem, NetworkJoinEvent } from "../../actors/machines/networkJoin.ts"
import type { NetworkId } from "../../domain/Ids.ts"
import type { JoinGrant } from "../../protocol/agent/ControlRpcs.ts"
import { Control } from "../Control.ts"
import { DataPlane, type DataPlaneNews } from "../dataplane/DataPlane.ts"
import { Knowledge } from "../Knowledge.ts"
import { MeshFiles } from "./MeshFiles.ts"

export class Membership extends Context.Service<Membership, {
  readonly membersPresent: (id: NetworkId) => Effect.Effect<void>
  /** Without a grant it needs state of an earlier join, in meshd and here. */
  readonly join: (id: NetworkId, grant: typeof JoinGrant.Type | undefined) => Effect.Effect<Joined, JoinProblem>
  readonly requestKey: (id: NetworkId) => Effect.Effect<typeof JoinGrant.Type, JoinProblem>
  readonly report: (id: NetworkId) => Effect.Effect<void, JoinProblem>
  readonly leave: (id: NetworkId) => Effect.Effect<void, JoinProblem>
  /** Leaves a mesh that was joined and whose network is not known any more; does nothing otherwise. */
  readonly leaveIfForgotten: (id: NetworkId) => Effect.Effect<void>
  /** Leaves those that an earlier agent joined and this one knows no network of, whenever meshd is there; for ever. */
  readonly leaveForgotten: Effect.Effect<void>
  readonly watch: (id: NetworkId) => Stream.Stream<NetworkJoinEvent>
}>()("gstacks/agent/Membership") {
  static readonly layer = Layer.effect(Membership, Effect.gen(function*() {
    const control = yield* Control
    const dataPlane = yield* DataPlane
    const knowledge = yield* Knowledge
    const files = yield* MeshFiles
    const problem = (error: { readonly message: string }): JoinProblem => ({ reason: error.message, needsKey: false })
    const publishedNode = (id: NetworkId): string | undefined =>
      knowledge.topologies.get(id)?.agents.find((agent) => agent.id === knowledge.identity?.agentId)?.node?.id

    const leaveMesh = (id: NetworkId) => Effect.andThen(dataPlane.leave(id), files.remove(id)).pipe(Effect.mapError(problem))

    const leaveIfForgotten = (id: NetworkId) => Effect.suspend(() =>
      files.get(id) === undefined || knowledge.topologies.has(id) ? Effect.void : Effect.ignore(leaveMesh(id)))

    return Membership.of({
      join: (id, grant) => Effect.gen(function*() {
        const file = grant === undefined ? files.get(id) : yield* files.put(id, grant).pipe(Effect.mapError(problem))
        if (file === undefined) return yield* Effect.fail({ reason: "no earlier join", needsKey: true })
        const node = yield* dataPlane.join({
          network: id, hostname: file.hostname, controlUrl: file.controlUrl, udpPort: file.udpPort, transport: "auto",
          ...(grant === undefined ? {} : { authKey: grant.authKey })
        }).pipe(Effect.mapError((error): JoinProblem => ({ reason: error.message, needsKey: error._tag === "MeshdRefused" && error.code === "needs_key" })))
        return { node, published: node.nodeId === publishedNode(id) }
      }),
      requestKey: (networkId) => control.call((client) => client.MintJoinKey({ networkId })).pipe(Effect.mapError(problemOf)),
      report: (networkId) => Effect.asVoid(control.call((client) => client.ReportJoined({ networkId }))).pipe(Effect.mapError(problemOf)),
      leave: leaveMesh,
      leaveIfForgotten,
      leaveForgotten: Stream.runForEach(dataPlane.events, (event) => event.event === "connected" ? Effect.forEach(files.ids(), leaveIfForgotten, { discard: true }) : Effect.void),
      membersPresent: (id) => knowledge.until(() => knowledge.takesPart(id)),
      watch: (id) => Stream.merge(
        Stream.filterMap(dataPlane.events, (event) => Result.fromNullishOr(newsOf(event, id), () => undefined)),
        Stream.fromEffect(Effect.as(knowledge.until(() => !knowledge.takesPart(id)), { type: "members.absent" } as const))
      )
    })
  }))
}

const newsOf = (event: DataPlaneNews, id: NetworkId): NetworkJoinEvent | undefined => {
  switch (event.event) {
    case "node": return event.data.network === id ? { type: "node.changed", node: event.data } : undefined
    case "connected": return { type: "meshd.connected" }
    case "lost": return { type: "meshd.lost" }
    default: return undefined
  }
}

/** Problems of the control plane carry `detail` and `hint`, other errors a message. */
const problemOf = (error: { readonly message: string } | { readonly detail: string; readonly hint: string }): JoinProblem =>
  ({ needsKey: false, reason: "detail" in error ? `${error.detail} ${error.hint}` : error.message })
