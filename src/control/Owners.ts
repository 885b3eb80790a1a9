/** Whose the sandboxes and aliases are that agents tell of, as the database has it at the moment of the question. */
import { Context, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { Owners as Owned } from "../domain/Flow/believed.ts"
import { AgentId, AliasId, NetworkId } from "../domain/Ids.ts"
import { rows, stored } from "./Store.ts"

const SandboxOwner = Schema.Struct({ id: Schema.String, name: Schema.String, agentId: AgentId })
const AliasOwner = Schema.Struct({ id: AliasId, networkId: NetworkId, name: Schema.String, agentId: Schema.NullOr(AgentId) })
const Part = Schema.Struct({ networkId: NetworkId, agentId: AgentId })

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  return {
    /** Of these ids, or with one of these names. */
    sandboxes: (ids: Iterable<string>, names: Iterable<string>) => Effect.map(
      stored(rows(SandboxOwner)(sql`select id, name, agent_id from sandboxes
        where id in (select jsonb_array_elements_text(${JSON.stringify([...new Set(ids)])}::jsonb)) or name in (select jsonb_array_elements_text(${JSON.stringify([...new Set(names)])}::jsonb))`)),
      (all) => new Owned(all)),
    /** Of one network, or of all. */
    aliases: (network: NetworkId | null) => stored(rows(AliasOwner)(sql`
      select l.id, l.network_id, l.name, s.agent_id from aliases l left join sandboxes s on s.id = l.sandbox_id ${network === null ? sql`` : sql`where l.network_id = ${network}`}`)),
    /** Which agents take part in which networks. */
    parts: stored(rows(Part)(sql`select network_id, agent_id from topology_acks`))
  }
})

export class Owners extends Context.Service<Owners, Effect.Success<typeof make>>()("gstacks/control/Owners") {
  static readonly layer = Layer.effect(Owners, make)
}
