/**
 * Which streams each agent closed with a version, for the receipts of the versions after `since` up to `version`: those that it
 * brought into force in one step.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export const closedStreams = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  yield* sql`create table closed_streams (
    network_id text collate "C" not null references networks (id), agent_id text collate "C" not null references agents (id) on delete cascade,
    since integer not null, version integer not null, as_source jsonb not null, as_target jsonb not null, last_at timestamptz not null,
    primary key (network_id, version, agent_id)
  )`
})
