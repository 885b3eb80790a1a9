/**
 * Local nodes: developers' machines that join a network. The user's token is traded for a key that lets one node in, once, under the tag
 * of local nodes; the node is looked up by that key, never by anybody's word. It lives while its machine renews it with a token that is
 * valid, and ends for everyone in the transaction that ends it: the topology goes without it, and the coordinator forgets its node.
 */
import { Clock, Context, Effect, Layer, Option, PubSub, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { LocalNodeId, type MachineId, makeId, NetworkId, type QuestionId, type TokenId } from "../domain/Ids.ts"
import { LocalNode, LocalNodeEnd } from "../domain/LocalNode.ts"
import { monotonicMillis } from "../domain/monotonic.ts"
import { InvalidRequest, LocalNodeEnded, LocalNodeNotFound, MeshUnavailable, TooManyLocalNodes } from "../domain/Problems.ts"
import { UserName } from "../domain/Selector.ts"
import { Principal } from "../protocol/http/Authorization.ts"
import type { LocalAnswer, LocalGrant, Renewal } from "../protocol/http/LocalNodesApi.ts"
import { Aliases } from "./Aliases.ts"
import { Audit } from "./Audit.ts"
import { Changes } from "./Changes.ts"
import { tagOf } from "./Headscale/policy.ts"
import { localTopology } from "./LocalNodes/localTopology.ts"
import { Questions } from "./LocalNodes/Questions.ts"
import { Lookups, type NetworkRow } from "./Lookups.ts"
import { Mesh } from "./Mesh.ts"
import { MeshNodes } from "./MeshNodes.ts"
import { MeshPolicy } from "./MeshPolicy.ts"
import { News } from "./News.ts"
import { Snapshots } from "./Snapshots.ts"
import { now, rows, stored, Time } from "./Store.ts"
import { Tokens } from "./Tokens.ts"

const keyLifetimeMs = 5 * 60_000
/** What the agents are told; renewed when half of it is over, so that a version of the topology follows only then. */
export const lifetimeMs = 60 * 60_000
/** Over all networks, of one user. */
export const mostPerUser = 16
const longestWaitMs = 30_000
/** Sets a user's lock apart from other advisory locks. */
const userLock = 71_016

const Row = Schema.Struct({
  ...LocalNode.fields, networkId: NetworkId, keyId: Schema.String, nodeId: Schema.NullOr(Schema.String),
  createdAt: Time, seenAt: Time, expiresAt: Time, tokenExpiresAt: Schema.NullOr(Time), ended: Schema.NullOr(LocalNodeEnd)
})
type Row = typeof Row.Type
const view = ({ id, user, machineId, machine, address, createdAt, seenAt, expiresAt }: Row): LocalNode =>
  ({ id, user, machineId, machine, address, createdAt, seenAt, expiresAt })

const whyEnded: Readonly<Record<LocalNodeEnd, string>> = {
  left: "has left", revoked: "was revoked", replaced: "was replaced by a newer join of the same machine", expired: "was not renewed in time"
}
const ended = (network: { readonly name: string }, id: string, reason: LocalNodeEnd) =>
  new LocalNodeEnded({ detail: `The join ${id} of network "${network.name}" ${whyEnded[reason]}.`, hint: `Join again: gstacks mesh join ${network.name}`, reason })

/** One DNS label. The id is there so that two machines of one name are told apart. */
const hostNameOf = (id: LocalNodeId, machine: string): string => `local-${machine.toLowerCase().replace(/[^a-z0-9-]/g, "-").slice(0, 32)}-${id.slice(-8)}`

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const lookups = yield* Lookups
  const changes = yield* Changes
  const aliases = yield* Aliases
  const audit = yield* Audit
  const mesh = yield* Mesh
  const policy = yield* MeshPolicy
  const questions = yield* Questions
  const nodes = yield* MeshNodes
  const news = yield* News
  const snapshots = yield* Snapshots
  const tokens = yield* Tokens

  const select = sql`select o.id, o.network_id, o.user_name as "user", o.machine_id, o.machine_name as machine, o.key_id, o.node_id, o.address,
    o.created_at, o.seen_at, o.expires_at, o.ended, t.expires_at as token_expires_at from local_nodes o left join tokens t on t.id = o.token_id`
  const unknown = (network: NetworkRow, id: string) => new LocalNodeNotFound({
    detail: `Network "${network.name}" has no joined machine "${id}".`, hint: `See them: gstacks network show ${network.name}`
  })

  const one = Effect.fnUntraced(function*(network: NetworkRow, id: string) {
    const [row] = yield* rows(Row)(sql`${select} where o.network_id = ${network.id} and o.id = ${id}`)
    if (row === undefined) return yield* unknown(network, id)
    return row.ended === null ? row : yield* ended(network, id, row.ended)
  })
  /** A join is its user's and its machine's; to others it does not exist. */
  const own = Effect.fnUntraced(function*(network: NetworkRow, id: string, machine: MachineId) {
    const row = yield* one(network, id)
    return row.user === (yield* Principal).name && row.machineId === machine ? row : yield* unknown(network, id)
  })

  /** Inside a change of the network. What the machine publishes ends with it. */
  const markEnded = Effect.fnUntraced(function*(network: NetworkRow, row: Row, reason: LocalNodeEnd) {
    yield* sql`update local_nodes set ended = ${reason}, ended_at = ${yield* now} where id = ${row.id}`
    yield* aliases.endLocal(network, `the join of ${row.user}'s machine "${row.machine}" ${whyEnded[reason]}`, { node: row.id })
    yield* sql.afterCommit(nodes.request)
    return view(row)
  })

  const asUser = Effect.gen(function*() {
    const principal = yield* Principal
    if (Schema.is(UserName)(principal.name)) return { ...principal, token: principal.token ?? null }
    return yield* new InvalidRequest({
      detail: `Rules name users by letters, digits and . _ @ -, and your token's name is "${principal.name}".`, hint: "Have a token made under a name like ann, and log in with it: gstacks login"
    })
  })

  const keyFor = Effect.fnUntraced(function*(network: NetworkRow) {
    if (Option.isSome(mesh.staticKey)) {
      return yield* new MeshUnavailable({
        detail: "The mesh is entered with one key for everyone, by which a developer's machine could not be told from a host.", hint: "Have the control plane mint keys: unset GLOBALSTACKS_MESH_AUTH_KEY"
      })
    }
    const api = yield* mesh.api
    yield* policy.sync
    return yield* api.createPreAuthKey(tagOf(network.id, "local"), new Date((yield* Clock.currentTimeMillis) + keyLifetimeMs), mesh.user)
  })

  const countOf = (user: string, except: { readonly network: NetworkId; readonly machine: MachineId }) => Effect.map(
    rows(Schema.Struct({ count: Schema.Int }))(sql`select count(*)::int as count from local_nodes where user_name = ${user} and ended_at is null
      and not (network_id = ${except.network} and machine_id = ${except.machine})`), ([row]) => row!.count)

  const refuseBeyondLimit = Effect.fnUntraced(function*(user: string, except: Parameters<typeof countOf>[1]) {
    if ((yield* countOf(user, except)) < mostPerUser) return
    return yield* new TooManyLocalNodes({ detail: `${user} has joined ${mostPerUser} machines already.`, hint: "Leave where one is not needed: gstacks mesh leave <network>" })
  })

  /** Puts the end off when half of the time is over, and never beyond the token's own. */
  const putOff = Effect.fnUntraced(function*(row: Row) {
    const at = yield* Clock.currentTimeMillis
    const until = Math.min(at + lifetimeMs, row.tokenExpiresAt === null ? Infinity : Date.parse(row.tokenExpiresAt))
    if (Date.parse(row.expiresAt) - at > lifetimeMs / 2 || until <= Date.parse(row.expiresAt)) return row.expiresAt
    const { value } = yield* changes.apply(row.networkId, "local.renew", Effect.fnUntraced(function*() {
      yield* sql`update local_nodes set expires_at = ${new Date(until)} where id = ${row.id}`
      return view({ ...row, expiresAt: new Date(until).toISOString() })
    }))
    return value.expiresAt
  })

  return {
    /** Inside a change of the network. */
    own,

    list: (ref: string) => stored(Effect.gen(function*() {
      const network = yield* lookups.network(ref)
      return (yield* rows(Row)(sql`${select} where o.network_id = ${network.id} and o.ended_at is null order by o.id`)).map(view)
    })),

    join: Effect.fn("LocalNodes.join")(function*(ref: string, machineId: MachineId, machine: string) {
      const user = yield* asUser
      const network = yield* stored(lookups.network(ref))
      const here = { network: network.id, machine: machineId }
      yield* stored(refuseBeyondLimit(user.name, here)) // before a key is minted in vain
      const key = yield* keyFor(network)
      const id = yield* makeId(LocalNodeId, "lcl")
      const at = yield* now
      const expiresAt = new Date(at.getTime() + keyLifetimeMs)
      yield* stored(changes.transaction(Effect.gen(function*() {
        const locked = yield* lookups.lockNetwork(network.id)
        yield* sql`select pg_advisory_xact_lock(hashtextextended(${user.name}, ${userLock}))` // the same user joins another network at this moment
        yield* refuseBeyondLimit(user.name, here)
        const [before] = yield* rows(Row)(sql`${select} where o.network_id = ${network.id} and o.user_name = ${user.name} and o.machine_id = ${machineId} and o.ended_at is null`)
        if (before !== undefined) yield* changes.record(locked, "local.replace", yield* markEnded(locked, before, "replaced"))
        yield* sql`insert into local_nodes (id, network_id, user_name, token_id, machine_id, machine_name, key_id, created_at, seen_at, expires_at)
          values (${id}, ${network.id}, ${user.name}, ${user.token}, ${machineId}, ${machine}, ${key.id}, ${at}, ${at}, ${expiresAt})`
        yield* audit.write("local.join", { id, user: user.name, machineId, machine }, { networkId: network.id, version: locked.version })
      })))
      return {
        id, networkId: network.id, network: network.name, user: user.name, expiresAt: expiresAt.toISOString(),
        grant: { authKey: key.key, controlUrl: mesh.controlUrl, hostname: hostNameOf(id, machine), expiresAt: expiresAt.getTime() }
      } satisfies LocalGrant
    }),

    joined: Effect.fn("LocalNodes.joined")(function*(ref: string, id: string, machine: MachineId) {
      const network = yield* stored(lookups.network(ref))
      const row = yield* stored(own(network, id, machine))
      const node = (yield* (yield* mesh.api).nodes).find((candidate) => candidate.preAuthKey?.id === row.keyId && candidate.tags.includes(tagOf(network.id, "local")))
      const address = node?.ipAddresses.find((candidate) => candidate.includes("."))
      if (node === undefined || address === undefined) {
        return yield* new MeshUnavailable({ detail: `The mesh coordinator knows no node that was made with the key of ${id}.`, hint: `Join again: gstacks mesh join ${network.name}` })
      }
      const { value } = yield* changes.apply(network.id, "local.joined", Effect.fnUntraced(function*() {
        const current = yield* own(network, id, machine)
        const at = yield* Clock.currentTimeMillis
        const expiresAt = new Date(Math.min(at + lifetimeMs, current.tokenExpiresAt === null ? Infinity : Date.parse(current.tokenExpiresAt)))
        yield* sql`update local_nodes set node_id = ${node.id}, address = ${address}, expires_at = ${expiresAt}, seen_at = ${new Date(at)} where id = ${row.id}`
        return view({ ...current, address, expiresAt: expiresAt.toISOString(), seenAt: new Date(at).toISOString() })
      }))
      return value
    }),

    renew: Effect.fn("LocalNodes.renew")(function*(ref: string, id: string, machine: MachineId, after: number, waitMs: number) {
      const deadline = (yield* monotonicMillis) + Math.min(waitMs, longestWaitMs)
      const updates = yield* news.hear, asked = yield* questions.hear // before the first look, so that nothing is missed between the two
      const network = yield* stored(lookups.network(ref))
      const row = yield* stored(own(network, id, machine))
      yield* stored(sql`update local_nodes set seen_at = ${yield* now}, token_id = ${(yield* Principal).token ?? null} where id = ${row.id}`)
      const expiresAt = yield* putOff(row)
      for (;;) {
        const topology = Option.getOrUndefined(yield* snapshots.refresh(network.id))
        if (topology === undefined) return yield* stored(lookups.noNetwork(ref))
        const left = deadline - (yield* monotonicMillis)
        const toAnswer = questions.take(row.id)
        if (topology.version === after && toAnswer.length === 0 && left > 0) {
          const next = Effect.repeat(PubSub.take(updates), { until: (item) => item._tag === "Missed" || (item._tag === "Committed" && item.networkId === network.id) })
          yield* Effect.timeoutOption(Effect.raceFirst(next, asked(row.id)), left)
          continue
        }
        yield* stored(own(network, id, machine)) // it may have ended meanwhile
        return { expiresAt, topology: topology.version === after ? null : localTopology(topology, row.id), questions: toAnswer } satisfies Renewal
      }
    }, Effect.scoped),

    answer: Effect.fn("LocalNodes.answer")(function*(ref: string, id: string, machine: MachineId, question: QuestionId, answer: LocalAnswer) {
      const row = yield* stored(Effect.flatMap(lookups.network(ref), (network) => own(network, id, machine)))
      yield* questions.answer(row.id, question, answer)
    }),

    end: (ref: string, id: string, machine: MachineId | undefined) => Effect.gen(function*() {
      const network = yield* stored(lookups.network(ref))
      const row = yield* stored(one(network, id))
      const leaves = row.machineId === machine && row.user === (yield* Principal).name
      const { value } = yield* changes.apply(network.id, leaves ? "local.leave" : "local.revoke", (locked) =>
        Effect.flatMap(one(locked, id), (current) => markEnded(locked, current, leaves ? "left" : "revoked")))
      return value
    }).pipe(Effect.withSpan("LocalNodes.end")),

    /** Revokes a token, and what was joined with it. */
    revokeToken: (token: TokenId) => stored(sql.withTransaction(Effect.gen(function*() {
      for (const row of yield* rows(Row)(sql`${select} where o.token_id = ${token} and o.ended_at is null order by o.network_id, o.id`)) {
        yield* changes.apply(row.networkId, "local.revoke", (network) => markEnded(network, row, "revoked")).pipe(Effect.catchTag("NetworkNotFound", () => Effect.void))
      }
      return yield* tokens.revoke(token)
    }))),

    /** Ends those that were not renewed: their time is over, or their machine has not been heard of since `silentSince`. */
    expire: Effect.fn("LocalNodes.expire")(function*(silentSince: Date) {
      yield* stored(sql`update local_nodes o set ended = 'revoked', ended_at = ${yield* now} from networks n where n.id = o.network_id and n.deleted_at is not null and o.ended_at is null`)
      const overdue = yield* stored(rows(Row)(sql`${select} where o.ended_at is null and (o.expires_at <= ${yield* now} or o.seen_at < ${silentSince})`))
      yield* Effect.forEach(overdue, (row) => changes.apply(row.networkId, "local.expire", (network) =>
        Effect.flatMap(one(network, row.id), (current) => markEnded(network, current, "expired"))).pipe(
          Effect.catchTags({ LocalNodeEnded: () => Effect.void, LocalNodeNotFound: () => Effect.void, NetworkNotFound: () => Effect.void })), { discard: true })
    })
  }
})

export class LocalNodes extends Context.Service<LocalNodes, Effect.Success<typeof make>>()("gstacks/control/LocalNodes") {
  static readonly layer = Layer.effect(LocalNodes, make)
}
