/**
 * Developers' machines that have joined a network. A row is made with the key that lets the machine's node in, gets the node once the
 * coordinator tells it by that key, and stays for a while after its end, so that its owner can be told why.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export const localNodes = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  yield* sql`create table local_nodes (
    id text collate "C" primary key, network_id text collate "C" not null references networks (id), user_name text not null,
    token_id text collate "C" references tokens (id) on delete set null, machine_id text not null, machine_name text not null,
    key_id text not null, node_id text, address text, created_at timestamptz not null, seen_at timestamptz not null, expires_at timestamptz not null,
    ended_at timestamptz, ended text, check ((node_id is null) = (address is null)), check ((ended_at is null) = (ended is null))
  )`
  yield* sql`create unique index local_nodes_machine on local_nodes (network_id, user_name, machine_id) where ended_at is null`
  yield* sql`create index local_nodes_living on local_nodes (expires_at) where ended_at is null`
})
