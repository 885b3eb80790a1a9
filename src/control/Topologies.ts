/** The topology of a network as stored: everything that agents compute from, read by one statement and therefore of one version. */
import { Context, Effect, Layer, Option, Schema } from "effect"
import { SqlClient } from "effect/sql"
import type { NetworkId } from "../domain/Ids.ts"
import { Topology } from "../domain/Topology.ts"
import { rows, stored } from "./Store.ts"

const Row = Schema.Struct({ topology: Topology })

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const limitWhere = (on: string) => sql.literal(`(select json_build_object('maxStreams', i.max_streams, 'maxPerSecond', i.max_per_second) from limits i where i.${on})`)
  return {
    /** `None` when the network has been removed. */
    load: (network: NetworkId) => stored(Effect.map(
      rows(Row)(sql`select json_build_object(
        'networkId', n.id, 'name', n.name, 'version', n.version,
        'aliases', (select coalesce(json_agg(json_strip_nulls(json_build_object('id', l.id, 'name', l.name, 'address', v.address, 'limit', ${limitWhere("alias_id = l.id")},
            'ports', (select json_agg(p.port order by p.port) from alias_ports p where p.alias_id = l.id),
            'sandboxId', l.sandbox_id, 'agentId', s.agent_id, 'local', case when l.local_node_id is not null then
              json_build_object('nodeId', l.local_node_id, 'expiresAt', floor(extract(epoch from l.expires_at) * 1000)) end)) order by l.id), '[]')
          from aliases l join virtual_addresses v on v.alias_id = l.id left join sandboxes s on s.id = l.sandbox_id where l.network_id = n.id),
        'members', (select coalesce(json_agg(json_strip_nulls(json_build_object('id', s.id, 'name', s.name, 'agentId', s.agent_id, 'labels', s.labels,
            'limit', ${limitWhere("network_id = n.id and i.sandbox_id = s.id")})) order by s.id), '[]')
          from attachments m join sandboxes s on s.id = m.sandbox_id where m.network_id = n.id),
        'agents', (select coalesce(json_agg(json_build_object('id', a.id, 'name', a.name,
            'node', case when d.node_id is null then null else json_build_object('id', d.node_id, 'address', d.address) end) order by a.id), '[]')
          from agents a left join mesh_nodes d on d.network_id = n.id and d.agent_id = a.id
          where a.id in (select s.agent_id from attachments m join sandboxes s on s.id = m.sandbox_id where m.network_id = n.id)),
        'rules', (select coalesce(json_agg(json_strip_nulls(json_build_object('id', r.id, 'source', r.source, 'aliasId', r.alias_id, 'port', r.first_port,
            'lastPort', nullif(r.last_port, r.first_port), 'expiresAt', floor(extract(epoch from r.expires_at) * 1000))) order by r.id), '[]')
          from rules r where r.network_id = n.id),
        'localNodes', (select coalesce(json_agg(json_build_object('id', o.id, 'user', o.user_name, 'nodeId', o.node_id, 'address', o.address,
            'expiresAt', floor(extract(epoch from o.expires_at) * 1000)) order by o.id), '[]')
          from local_nodes o where o.network_id = n.id and o.node_id is not null and o.ended_at is null)
      ) as topology from networks n where n.id = ${network} and n.deleted_at is null`),
      (found) => Option.fromUndefinedOr(found[0]?.topology)
    ))
  }
})

export class Topologies extends Context.Service<Topologies, Effect.Success<typeof make>>()("gstacks/control/Topologies") {
  static readonly layer = Layer.effect(Topologies, make)
}
