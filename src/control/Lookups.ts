/**
 * From what a user wrote (a name or an id) to the row it means, or a not-found problem that suggests the likely name. Inside a
 * transaction the row is locked: `lockNetwork` serialises the changes of one network, `shareSandbox` keeps a sandbox from being
 * removed meanwhile. Locks are taken in the order network, sandbox, agent.
 */
import { Context, Effect, Layer, Schema } from "effect"
import { SqlClient, type Statement } from "effect/sql"
import { AgentName, AliasName, Labels, NetworkName, SandboxName } from "../domain/DnsLabel.ts"
import { AgentId, AliasId, NetworkId, SandboxId } from "../domain/Ids.ts"
import { TrafficMode } from "../domain/Network.ts"
import { AgentNotFound, AliasNotFound, NetworkNotFound, SandboxNotFound } from "../domain/Problems.ts"
import { suggest } from "../domain/nearest.ts"
import { rows, Time } from "./Store.ts"

export const NetworkRow = Schema.Struct({ id: NetworkId, name: NetworkName, mode: TrafficMode, version: Schema.Int, createdAt: Time })
export type NetworkRow = typeof NetworkRow.Type
export const SandboxRow = Schema.Struct({ id: SandboxId, name: SandboxName, agentId: AgentId, agent: AgentName, labels: Labels })
export type SandboxRow = typeof SandboxRow.Type
/** `localUser`: whose machine publishes it; null: a sandbox does. */
export const AliasRow = Schema.Struct({ id: AliasId, name: AliasName, localUser: Schema.NullOr(Schema.String) })
export type AliasRow = typeof AliasRow.Type
export const AgentRow = Schema.Struct({ id: AgentId, name: AgentName })
export type AgentRow = typeof AgentRow.Type

const Name = Schema.Struct({ name: Schema.String })

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const names = (statement: Statement.Statement<unknown>) => Effect.map(rows(Name)(statement), (all) => all.map((row) => row.name))

  const findNetwork = (lock: string) => Effect.fn("Lookups.network")(function*(ref: string) {
    const [found] = yield* rows(NetworkRow)(sql`
      select id, name, mode, version, created_at from networks
      where deleted_at is null and (name = ${ref} or id = ${ref}) ${sql.literal(lock)}`)
    return found ?? (yield* noNetwork(ref))
  })

  const noNetwork = Effect.fn("Lookups.noNetwork")(function*(ref: string) {
    const all = yield* names(sql`select name from networks where deleted_at is null order by name limit 1000`)
    return yield* new NetworkNotFound({ detail: `There is no network "${ref}".`, hint: suggest(ref, all, "gstacks network list") })
  })

  const findSandbox = (lock: string) => Effect.fn("Lookups.sandbox")(function*(ref: string) {
    const [found] = yield* rows(SandboxRow)(sql`
      select s.id, s.name, s.agent_id, a.name as agent, s.labels from sandboxes s join agents a on a.id = s.agent_id
      where s.name = ${ref} or s.id = ${ref} ${sql.literal(lock)}`)
    return found ?? (yield* noSandbox(ref))
  })

  const noSandbox = Effect.fn("Lookups.noSandbox")(function*(ref: string) {
    const all = yield* names(sql`select name from sandboxes order by name limit 1000`)
    return yield* new SandboxNotFound({ detail: `There is no sandbox "${ref}".`, hint: suggest(ref, all, "gstacks sandbox list") })
  })

  const noAlias = Effect.fn("Lookups.noAlias")(function*(network: NetworkRow, name: string) {
    const all = yield* names(sql`select name from aliases where network_id = ${network.id} order by name limit 1000`)
    return yield* new AliasNotFound({
      detail: `Network "${network.name}" has no alias "${name}".`,
      hint: suggest(name, all, `gstacks network alias list ${network.name}`)
    })
  })

  const findAgent = (lock: string) => Effect.fn("Lookups.agent")(function*(ref: string) {
    const [found] = yield* rows(AgentRow)(sql`select id, name from agents where name = ${ref} or id = ${ref} ${sql.literal(lock)}`)
    if (found !== undefined) return found
    const all = yield* names(sql`select name from agents order by name limit 1000`)
    return yield* new AgentNotFound({ detail: `There is no agent "${ref}".`, hint: suggest(ref, all, "gstacks agent list") })
  })

  return {
    noNetwork,
    noSandbox,
    noAlias,
    network: findNetwork(""),
    lockNetwork: findNetwork("for update"),
    sandbox: findSandbox(""),
    shareSandbox: findSandbox("for share of s"),
    lockSandbox: findSandbox("for update of s"),
    alias: Effect.fn("Lookups.alias")(function*(network: NetworkRow, name: string) {
      const [found] = yield* rows(AliasRow)(sql`
        select l.id, l.name, o.user_name as local_user from aliases l left join local_nodes o on o.id = l.local_node_id
        where l.network_id = ${network.id} and l.name = ${name}`)
      return found ?? (yield* noAlias(network, name))
    }),
    agent: findAgent(""),
    shareAgent: findAgent("for key share"),
    lockAgent: findAgent("for update")
  }
})

export class Lookups extends Context.Service<Lookups, Effect.Success<typeof make>>()("gstacks/control/Lookups") {
  static readonly layer = Layer.effect(Lookups, make)
}
