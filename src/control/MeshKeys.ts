/**
 * Lets agents into the mesh of a network: a key that works once and for five minutes, recorded with who may use it, and, once the
 * node is up, its identity as the coordinator tells it by that key. The agent's word is never taken for which node is its own.
 */
import { Clock, Context, Effect, Layer, Option, Redacted, Schema } from "effect"
import { SqlClient } from "effect/sql"
import type { NetworkId } from "../domain/Ids.ts"
import { MeshUnavailable } from "../domain/Problems.ts"
import { type JoinGrant, NotYours } from "../protocol/agent/ControlRpcs.ts"
import { asPrincipal, Changes } from "./Changes.ts"
import type { Node } from "./Headscale/Api.ts"
import { tagOf } from "./Headscale/policy.ts"
import { type AgentRow, Lookups, type NetworkRow } from "./Lookups.ts"
import { Mesh } from "./Mesh.ts"
import { MeshNodes } from "./MeshNodes.ts"
import { MeshPolicy } from "./MeshPolicy.ts"
import { now, rows, stored } from "./Store.ts"

const keyLifetimeMs = 5 * 60_000

const Key = Schema.Struct({ id: Schema.String })
const Known = Schema.Struct({ nodeId: Schema.String, address: Schema.String })

/** One DNS label, unique per agent and network as far as 63 characters allow. */
const hostNameOf = (agent: AgentRow, network: NetworkRow): string => `${agent.name.slice(0, 31)}-${network.name.slice(0, 31)}`.replace(/-+$/, "")

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const lookups = yield* Lookups
  const changes = yield* Changes
  const mesh = yield* Mesh
  const policy = yield* MeshPolicy
  const nodes = yield* MeshNodes

  const participating = Effect.fnUntraced(function*(agent: AgentRow, networkId: NetworkId) {
    const refused = new NotYours({ message: `Agent "${agent.name}" hosts no member of network ${networkId}.` })
    const network = yield* Effect.catchTag(lookups.network(networkId), "NetworkNotFound", () => refused)
    const hosting = yield* sql`select 1 from topology_acks where network_id = ${networkId} and agent_id = ${agent.id} and left_version is null`
    return hosting.length > 0 ? network : yield* refused
  })

  const mintNew = Effect.fnUntraced(function*(agent: AgentRow, network: NetworkRow) {
    const api = yield* mesh.api
    yield* policy.sync // a node whose tag the policy does not know would be let in nowhere
    const expiresAt = (yield* Clock.currentTimeMillis) + keyLifetimeMs
    const key = yield* api.createPreAuthKey(tagOf(network.id, "agent"), new Date(expiresAt), mesh.user)
    yield* stored(sql`insert into mesh_keys (id, network_id, agent_id, minted_at) values (${key.id}, ${network.id}, ${agent.id}, ${yield* now})`)
    return { authKey: key.key, expiresAt }
  })

  /** The agent's node: by the newest of its keys that was used, or with one key for all by its host name. */
  const findNode = Effect.fnUntraced(function*(agent: AgentRow, network: NetworkRow) {
    const all = yield* (yield* mesh.api).nodes
    if (Option.isSome(mesh.staticKey)) return newest(all.filter((node) => node.name === hostNameOf(agent, network)))
    const keys = new Set((yield* stored(rows(Key)(sql`select id from mesh_keys where network_id = ${network.id} and agent_id = ${agent.id}`))).map((key) => key.id))
    return newest(all.filter((node) => node.preAuthKey !== null && keys.has(node.preAuthKey.id)))
  })

  return {
    mint: Effect.fn("MeshKeys.mint")(function*(agent: AgentRow, networkId: NetworkId) {
      const network = yield* stored(participating(agent, networkId))
      const { authKey, expiresAt } = Option.isSome(mesh.staticKey)
        ? { authKey: Redacted.value(mesh.staticKey.value), expiresAt: (yield* Clock.currentTimeMillis) + keyLifetimeMs }
        : yield* mintNew(agent, network)
      return { authKey, expiresAt, controlUrl: mesh.controlUrl, hostname: hostNameOf(agent, network) } satisfies JoinGrant
    }),

    /** Publishes the node to the network's agents; a node that it replaces is deleted. */
    joined: Effect.fn("MeshKeys.joined")(function*(agent: AgentRow, networkId: NetworkId) {
      const network = yield* stored(participating(agent, networkId))
      const node = yield* findNode(agent, network)
      const address = node?.ipAddresses.find((candidate) => candidate.includes("."))
      if (node === undefined || address === undefined) {
        return yield* new MeshUnavailable({ detail: `The mesh coordinator knows no node of agent "${agent.name}" in network "${network.name}".`, hint: "The agent asks for a new key and joins again." })
      }
      const [known] = yield* stored(rows(Known)(sql`select node_id, address from mesh_nodes where network_id = ${networkId} and agent_id = ${agent.id}`))
      if (known?.nodeId !== node.id || known.address !== address) {
        yield* changes.apply(networkId, "mesh.joined", Effect.fnUntraced(function*() {
          yield* sql`insert into mesh_nodes (network_id, agent_id, node_id, address, joined_at) values (${networkId}, ${agent.id}, ${node.id}, ${address}, ${yield* now})
            on conflict (network_id, agent_id) do update set node_id = excluded.node_id, address = excluded.address, joined_at = excluded.joined_at`
          return { agent: agent.name, nodeId: node.id, address }
        })).pipe(
          asPrincipal(`agent ${agent.name}`),
          Effect.catchTag("NetworkNotFound", () => new NotYours({ message: `Network ${networkId} was removed.` }))
        )
        yield* nodes.request
      }
      return { nodeId: node.id, address }
    })
  }
})

/** Ids count up; they are 64-bit numbers as text. */
const newest = (all: ReadonlyArray<Node>): Node | undefined =>
  [...all].sort((a, b) => (BigInt(a.id) < BigInt(b.id) ? 1 : -1))[0]

export class MeshKeys extends Context.Service<MeshKeys, Effect.Success<typeof make>>()("gstacks/control/MeshKeys") {
  static readonly layer = Layer.effect(MeshKeys, make)
}
