/**
 * Aliases that developers' machines publish, each until a time, and who may publish in which network. An alias is of a sandbox or of a
 * machine; the machine's goes in the transaction that ends its join.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export const publishedPorts = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  yield* sql`create table publishers (
    network_id text collate "C" not null references networks (id), user_name text not null, allowed_at timestamptz not null, allowed_by text not null,
    primary key (network_id, user_name)
  )`
  yield* sql`alter table aliases
    alter column sandbox_id drop not null, add column local_node_id text collate "C" references local_nodes (id), add column expires_at timestamptz,
    add check ((sandbox_id is null) <> (local_node_id is null)), add check ((local_node_id is null) = (expires_at is null))`
  yield* sql`create index aliases_local_node on aliases (local_node_id) where local_node_id is not null`
})
