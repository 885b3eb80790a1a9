/**
 * Rules for ranges of ports, with an end and a comment. A rule for one port still goes with that port (`port` names it); one for a
 * range stays until it, its alias or its source goes.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export const ruleTerms = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  yield* sql`alter table rules
    add column first_port integer, add column last_port integer, add column expires_at timestamptz, add column comment text,
    add foreign key (alias_id) references aliases (id) on delete cascade`
  yield* sql`update rules set first_port = port, last_port = port`
  yield* sql`alter table rules
    alter column port drop not null, alter column first_port set not null, alter column last_port set not null,
    add check (first_port between 1 and last_port and last_port <= 65535), add check (port is null or (port = first_port and port = last_port)),
    drop constraint rules_network_id_source_alias_id_port_key, add unique (network_id, source, alias_id, first_port, last_port)`
  yield* sql`create index rules_expiry on rules (expires_at) where expires_at is not null`
})
