/**
 * Removes nodes from the coordinator that have no business there: of removed networks and agents, of agents that left a network a
 * while ago, those that a later join of the same agent has replaced, and those of developers' machines whose join has ended. Nodes that carry none of our tags are not touched.
 */
import { Context, Effect, Layer, Option, PubSub, Queue, Schema, Stream, SubscriptionRef } from "effect"
import { SqlClient } from "effect/sql"
import type { Node } from "./Headscale/Api.ts"
import { networkOfTag } from "./Headscale/policy.ts"
import { Mesh } from "./Mesh.ts"
import { MeshPolicy } from "./MeshPolicy.ts"
import { News } from "./News.ts"
import { now, rows, stored } from "./Store.ts"

/** An agent keeps its node for a minute after its last member left; coming back within this time it finds it unchanged. */
const graceMinutes = 5
/** Long after it has expired: a key that no node was made with will be asked for by nobody. */
const keptKeyHours = 1
const sweepEvery = "5 minutes"
const retryAfter = "5 seconds"

const Kept = Schema.Struct({ id: Schema.String })

/** Ours by tag, in no row and made with no key that is still awaited. */
export const superfluous = (nodes: ReadonlyArray<Node>, kept: ReadonlySet<string>, awaitedKeys: ReadonlySet<string>): ReadonlyArray<Node> =>
  nodes.filter((node) => node.tags.some((tag) => networkOfTag(tag) !== undefined) && !kept.has(node.id) && !(node.preAuthKey !== null && awaitedKeys.has(node.preAuthKey.id)))

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const mesh = yield* Mesh
  const policy = yield* MeshPolicy
  const news = yield* News
  const wanted = yield* Queue.sliding<void>(1)

  const sweep = Effect.gen(function*() {
    const found = yield* SubscriptionRef.get(mesh.current)
    if (Option.isNone(found)) return // asked again when it appears
    const api = found.value
    const left = new Date((yield* now).getTime() - graceMinutes * 60_000)
    yield* stored(sql`delete from mesh_nodes n using topology_acks t where t.network_id = n.network_id and t.agent_id = n.agent_id and t.left_at < ${left}`)
    yield* stored(sql`delete from mesh_nodes n using networks w where w.id = n.network_id and w.deleted_at is not null`)
    const nodes = yield* api.nodes
    // A key is awaited from its minting until the join that it was minted for has been reported. Read before the nodes that are
    // kept: a join that is reported in between is in the one or the other.
    const awaited = yield* stored(rows(Kept)(sql`select k.id from mesh_keys k join networks w on w.id = k.network_id
      left join mesh_nodes n on n.network_id = k.network_id and n.agent_id = k.agent_id
      where w.deleted_at is null and (n.joined_at is null or k.minted_at > n.joined_at)
      union all select key_id from local_nodes where ended_at is null and node_id is null`))
    const kept = yield* stored(rows(Kept)(sql`select node_id as id from mesh_nodes
      union all select o.node_id from local_nodes o join networks w on w.id = o.network_id where w.deleted_at is null and o.ended_at is null and o.node_id is not null`))
    const ids = (all: ReadonlyArray<typeof Kept.Type>) => new Set(all.map((row) => row.id))
    yield* Effect.forEach(superfluous(nodes, ids(kept), ids(awaited)), (node) => api.deleteNode(node.id), { discard: true })
    const used = nodes.flatMap((node) => node.preAuthKey === null ? [] : [node.preAuthKey.id])
    const expired = new Date((yield* now).getTime() - keptKeyHours * 3_600_000)
    yield* stored(sql`delete from mesh_keys where minted_at < ${expired} and id not in (select jsonb_array_elements_text(${JSON.stringify(used)}::jsonb))`)
    yield* policy.sync // afterwards: a tag can only be dropped once nobody carries it
  }).pipe(Effect.withSpan("MeshNodes.sweep"))

  const request = Effect.asVoid(Queue.offer(wanted, undefined))
  yield* Queue.take(wanted).pipe(
    Effect.andThen(Effect.catch(sweep, (problem) => Effect.andThen(
      Effect.logWarning(`The mesh could not be tidied; it is tried again. ${problem.detail}`),
      Effect.forkScoped(Effect.delay(request, retryAfter))
    ))),
    Effect.forever, Effect.forkScoped
  )
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(sweepEvery), request)))
  // When the coordinator appears its policy may be old.
  yield* Effect.forkScoped(Stream.runForEach(SubscriptionRef.changes(mesh.current), () => request))
  const updates = yield* news.hear
  yield* PubSub.take(updates).pipe(
    Effect.flatMap((item) => item._tag === "Committed" && (item.version === 1 || item.removed) ? request : Effect.void),
    Effect.forever, Effect.forkScoped
  )
  return { request }
})

export class MeshNodes extends Context.Service<MeshNodes, Effect.Success<typeof make>>()("gstacks/control/MeshNodes") {
  static readonly layer = Layer.effect(MeshNodes, make)
}
