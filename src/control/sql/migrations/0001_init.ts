/**
 * The first schema. What must never be broken stands here as a constraint: one alias name per network, one holder per virtual
 * address, an alias only on an attached sandbox, a rule only for a published port (and gone with it). Ids collate by bytes, so
 * that `order by id` is the order of creation everywhere.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export const init = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  yield* sql`create table networks (
    id text collate "C" primary key, name text not null, mode text not null, version integer not null,
    created_at timestamptz not null, deleted_at timestamptz
  )`
  yield* sql`create unique index networks_name on networks (name) where deleted_at is null`

  yield* sql`create table agents (
    id text collate "C" primary key, name text not null unique, credential_hash text not null unique, host jsonb,
    enrolled_at timestamptz not null, last_seen_at timestamptz
  )`

  yield* sql`create table sandboxes (
    id text collate "C" primary key, name text not null unique, agent_id text collate "C" not null references agents (id),
    labels jsonb not null, spec jsonb not null, run boolean not null, state text not null, exit_code integer, reason text,
    created_at timestamptz not null
  )`
  yield* sql`create index sandboxes_agent on sandboxes (agent_id)`

  yield* sql`create table attachments (
    network_id text collate "C" not null references networks (id), sandbox_id text collate "C" not null references sandboxes (id) on delete cascade,
    attached_at timestamptz not null, primary key (network_id, sandbox_id)
  )`
  yield* sql`create index attachments_sandbox on attachments (sandbox_id)`

  yield* sql`create table aliases (
    id text collate "C" primary key, network_id text collate "C" not null, sandbox_id text collate "C" not null, name text not null,
    created_at timestamptz not null, unique (network_id, name),
    foreign key (network_id, sandbox_id) references attachments (network_id, sandbox_id) on delete cascade
  )`
  yield* sql`create table alias_ports (
    alias_id text collate "C" not null references aliases (id) on delete cascade, port integer not null check (port between 1 and 65535),
    primary key (alias_id, port)
  )`

  yield* sql`create table rules (
    id text collate "C" primary key, network_id text collate "C" not null references networks (id),
    source jsonb not null, source_sandbox_id text collate "C" references sandboxes (id) on delete cascade,
    source_alias_id text collate "C" references aliases (id) on delete cascade,
    alias_id text collate "C" not null, port integer not null, created_at timestamptz not null, created_by text not null,
    unique (network_id, source, alias_id, port),
    foreign key (alias_id, port) references alias_ports (alias_id, port) on delete cascade
  )`
  yield* sql`create index rules_source_sandbox on rules (source_sandbox_id) where source_sandbox_id is not null`

  // A row outlives its alias: released_at makes it a tombstone, which may be taken again only when it is old.
  yield* sql`create table virtual_addresses (
    address text primary key, alias_id text collate "C" unique references aliases (id) on delete set null, host_name text not null,
    allocated_at timestamptz not null, released_at timestamptz, check ((alias_id is null) = (released_at is not null))
  )`

  yield* sql`create table topology_acks (
    network_id text collate "C" not null references networks (id), agent_id text collate "C" not null references agents (id) on delete cascade,
    applied integer, left_version integer, left_at timestamptz, primary key (network_id, agent_id)
  )`

  yield* sql`create table mesh_keys (
    id text primary key, network_id text collate "C" not null references networks (id),
    agent_id text collate "C" not null references agents (id) on delete cascade, minted_at timestamptz not null
  )`
  yield* sql`create table mesh_nodes (
    network_id text collate "C" not null references networks (id), agent_id text collate "C" not null references agents (id) on delete cascade,
    node_id text not null, address text not null, joined_at timestamptz not null, primary key (network_id, agent_id)
  )`

  yield* sql`create table tokens (
    id text collate "C" primary key, kind text not null, name text not null, secret_hash text not null unique,
    created_at timestamptz not null, expires_at timestamptz, used_at timestamptz, used_by text
  )`

  yield* sql`create table audit_log (
    id bigint generated always as identity primary key, at timestamptz not null, actor text not null, action text not null,
    network_id text collate "C", version integer, detail jsonb not null
  )`
})
