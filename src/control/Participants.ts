/**
 * Which agents take part in which network (those that host a member), and which version each has applied. An agent that lost
 * its last member counts for the version that took it, until it has withdrawn; `left_version` remembers that version.
 */
import { Context, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { AgentName } from "../domain/DnsLabel.ts"
import { AgentId, NetworkId } from "../domain/Ids.ts"
import type { StoreUnavailable } from "../domain/Problems.ts"
import { makeBursts } from "./Bursts.ts"
import { now, rows, stored } from "./Store.ts"

export const Participant = Schema.Struct({
  agentId: AgentId, agent: AgentName, applied: Schema.NullOr(Schema.Int), leftVersion: Schema.NullOr(Schema.Int), joined: Schema.Boolean,
  /** The network's newest version. */
  newest: Schema.Int
})
export type Participant = typeof Participant.Type

export const Participation = Schema.Struct({ networkId: NetworkId, applied: Schema.NullOr(Schema.Int), leftVersion: Schema.NullOr(Schema.Int) })

interface Acknowledgement { readonly network: NetworkId; readonly agent: AgentId; readonly version: number }

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const acknowledge = makeBursts((acknowledgements: ReadonlyArray<Acknowledgement>) => stored(Effect.asVoid(
    sql`update topology_acks t set applied = greatest(coalesce(t.applied, 0), a.version)
      from (select network, agent, max(version) as version from jsonb_to_recordset(${JSON.stringify(acknowledgements)}::jsonb)
        as x(network text, agent text, version int) group by network, agent) a
      where t.network_id = a.network and t.agent_id = a.agent`)))

  return {
    /** Inside a change of the network, once its members have changed. */
    refresh: Effect.fn("Participants.refresh")(function*({ id: network, version }: { readonly id: NetworkId; readonly version: number }) {
      yield* sql`insert into topology_acks as t (network_id, agent_id)
        select distinct m.network_id, s.agent_id from attachments m join sandboxes s on s.id = m.sandbox_id where m.network_id = ${network}
        on conflict (network_id, agent_id) do update set left_version = null, left_at = null, applied = null where t.left_version is not null`
      yield* sql`update topology_acks t set left_version = ${version + 1}, left_at = ${yield* now}
        where t.network_id = ${network} and t.left_version is null and not exists
          (select 1 from attachments m join sandboxes s on s.id = m.sandbox_id where m.network_id = t.network_id and s.agent_id = t.agent_id)`
    }),
    /** Present and just left, by name. */
    ofNetwork: (network: NetworkId) => stored(rows(Participant)(sql`
      select t.agent_id, a.name as agent, t.applied, t.left_version, w.version as newest,
        exists (select 1 from mesh_nodes n where n.network_id = t.network_id and n.agent_id = t.agent_id) as joined
      from topology_acks t join agents a on a.id = t.agent_id join networks w on w.id = t.network_id where t.network_id = ${network} order by a.name`)),
    /** The networks that an agent takes part in, or still has to withdraw from. */
    ofAgent: (agent: AgentId) => stored(rows(Participation)(sql`
      select network_id, applied, left_version from topology_acks where agent_id = ${agent} order by network_id`)),
    /** Done when it is stored. */
    acknowledge: (network: NetworkId, agent: AgentId, version: number): Effect.Effect<void, StoreUnavailable> => acknowledge({ network, agent, version })
  }
})

export class Participants extends Context.Service<Participants, Effect.Success<typeof make>>()("gstacks/control/Participants") {
  static readonly layer = Layer.effect(Participants, make)
}
