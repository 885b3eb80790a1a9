/** What `network test` found, to be read again: the last runs of each network. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export const diagnosticRuns = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  yield* sql`create table diagnostic_runs (
    id text collate "C" primary key, network_id text collate "C" not null references networks (id) on delete cascade, run jsonb not null
  )`
  yield* sql`create index diagnostic_runs_network on diagnostic_runs (network_id, id)`
})
