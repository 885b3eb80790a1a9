/** Limits of streams, each on one alias of a network or on one attached sandbox; they go with it. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export const limits = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  yield* sql`create table limits (
    network_id text collate "C" not null references networks (id), alias_id text collate "C" unique references aliases (id) on delete cascade, sandbox_id text collate "C",
    max_streams integer check (max_streams > 0), max_per_second integer check (max_per_second > 0),
    check ((alias_id is null) <> (sandbox_id is null)), check (max_streams is not null or max_per_second is not null), unique (network_id, sandbox_id),
    foreign key (network_id, sandbox_id) references attachments (network_id, sandbox_id) on delete cascade
  )`
})
