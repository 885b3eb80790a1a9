/**
 * The streams that agents closed with each of the newest versions of a network. A stream has one name at both ends, so that a
 * connection which both have closed counts once, whichever came first.
 */
import { Context, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { AgentName } from "../domain/DnsLabel.ts"
import type { AgentId, NetworkId } from "../domain/Ids.ts"
import type { ClosedConnections, ClosedStreams as Closed } from "../domain/Receipt.ts"
import { Audit } from "./Audit.ts"
import { makeBursts } from "./Bursts.ts"
import type { AgentRow } from "./Lookups.ts"
import { News } from "./News.ts"
import { rows, stored, Time } from "./Store.ts"

/** Receipts of older versions no longer tell. */
const keptVersions = 64

const Row = Schema.Struct({ agent: AgentName, asSource: Schema.Array(Schema.String), asTarget: Schema.Array(Schema.String), lastAt: Time })

interface Record extends Pick<Closed, "asSource" | "asTarget"> {
  readonly network: NetworkId; readonly version: number; readonly agentId: AgentId; readonly agent: AgentName; readonly lastAt: Date
}

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const audit = yield* Audit
  const news = yield* News

  const store = (records: ReadonlyArray<Record>) => stored(sql.withTransaction(Effect.gen(function*() {
    yield* sql`insert into closed_streams (network_id, agent_id, since, version, as_source, as_target, last_at)
      select t.network_id, t.agent_id, coalesce(t.applied, 0), x.version, x."asSource", x."asTarget", x."lastAt"
      from jsonb_to_recordset(${JSON.stringify(records)}::jsonb) as x(network text, "agentId" text, version int, "asSource" jsonb, "asTarget" jsonb, "lastAt" timestamptz)
      join topology_acks t on t.network_id = x.network and t.agent_id = x."agentId" on conflict do nothing`
    yield* sql`delete from closed_streams c
      using (select network, max(version) as version from jsonb_to_recordset(${JSON.stringify(records)}::jsonb) as x(network text, version int) group by network) newest
      where c.network_id = newest.network and c.version <= newest.version - ${keptVersions}::int`
    yield* audit.writeAs(records.map(({ network, version, agent, asSource, asTarget }) => ({
      actor: `agent ${agent}`, action: "connections.close", detail: { agent, asSource: asSource.length, asTarget: asTarget.length }, networkId: network, version
    })))
  })))
  const record = makeBursts(store)

  return {
    /** Before the acknowledgement of `version` is stored. `lastAt`: when the last one had ended, milliseconds since the epoch by this clock. */
    record: (network: NetworkId, version: number, { id, name }: AgentRow, { asSource, asTarget }: Closed, lastAt: number) =>
      record({ network, version, agentId: id, agent: name, asSource, asTarget, lastAt: new Date(lastAt) }),

    of: (network: NetworkId, version: number) => stored(Effect.gen(function*() {
      const found = yield* rows(Row)(sql`select a.name as agent, c.as_source, c.as_target, c.last_at from closed_streams c join agents a on a.id = c.agent_id
        where c.network_id = ${network} and c.since < ${version} and ${version} <= c.version order by a.name`)
      const committedAt = news.committedAt(network, version)
      const lastAt = Math.max(...found.map((row) => Date.parse(row.lastAt)))
      return {
        connections: new Set(found.flatMap(({ asSource, asTarget }) => [...asSource, ...asTarget])).size,
        lastByteMs: found.length === 0 || committedAt === null ? null : Math.max(0, lastAt - committedAt),
        agents: found.map(({ agent, asSource, asTarget }) => ({ agent, asSource: asSource.length, asTarget: asTarget.length }))
      } satisfies ClosedConnections
    }))
  }
})

export class ClosedStreams extends Context.Service<ClosedStreams, Effect.Success<typeof make>>()("gstacks/control/ClosedStreams") {
  static readonly layer = Layer.effect(ClosedStreams, make)
}
