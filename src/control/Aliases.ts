/** Aliases: the names that attached sandboxes, and developers' machines, publish in a network, with their ports and virtual addresses. */
import { type Array as Arr, Context, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { AgentName, AliasName, hostName, Port, reservedAliases, SandboxName } from "../domain/DnsLabel.ts"
import { AgentId, AliasId, LocalNodeId, makeId, SandboxId } from "../domain/Ids.ts"
import { MachineName } from "../domain/LocalNode.ts"
import type { Alias, Resolution } from "../domain/Network.ts"
import { AliasTaken, NotAttached, PortNotPublished, PublishedFromMachine, ReservedAlias } from "../domain/Problems.ts"
import type { PublishedFrom } from "../domain/Publication.ts"
import { UserName } from "../domain/Selector.ts"
import { VirtualAddress } from "../domain/VirtualAddress.ts"
import { Addresses } from "./Addresses.ts"
import { Audit } from "./Audit.ts"
import { Changes } from "./Changes.ts"
import { Lookups, type NetworkRow, type SandboxRow } from "./Lookups.ts"
import { RuleStore } from "./Rules/RuleStore.ts"
import { now, rows, stored, Time } from "./Store.ts"

const Row = Schema.Struct({
  id: AliasId, name: AliasName, address: VirtualAddress, ports: Schema.Array(Port),
  sandboxId: Schema.NullOr(SandboxId), sandbox: Schema.NullOr(SandboxName), agentId: Schema.NullOr(AgentId), agent: Schema.NullOr(AgentName),
  localId: Schema.NullOr(LocalNodeId), user: Schema.NullOr(UserName), machine: Schema.NullOr(MachineName), expiresAt: Schema.NullOr(Time)
})
type Row = typeof Row.Type
const Named = Schema.Struct({ id: AliasId, name: AliasName })
const localOf = ({ localId, user, machine, expiresAt }: Row): PublishedFrom | null =>
  localId === null ? null : { id: localId, user: user!, machine: machine!, expiresAt: expiresAt! }
const view = (network: NetworkRow, row: Row): Alias => ({
  id: row.id, name: row.name, hostName: hostName(row.name, network.name), address: row.address, ports: row.ports,
  sandboxId: row.sandboxId, sandbox: row.sandbox, agent: row.agent, local: localOf(row)
})

/** Who publishes an alias: a sandbox, or a machine until a time. */
type Holder =
  | { readonly sandboxId: SandboxId; readonly name: string }
  | { readonly localNodeId: LocalNodeId; readonly expiresAt: Date }

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const lookups = yield* Lookups
  const changes = yield* Changes
  const addresses = yield* Addresses
  const audit = yield* Audit
  const rules = yield* RuleStore

  const select = sql`select l.id, l.name, v.address, array(select p.port from alias_ports p where p.alias_id = l.id order by p.port) as ports,
    l.sandbox_id, s.name as sandbox, s.agent_id, a.name as agent, o.id as local_id, o.user_name as "user", o.machine_name as machine, l.expires_at
    from aliases l join virtual_addresses v on v.alias_id = l.id
      left join sandboxes s on s.id = l.sandbox_id left join agents a on a.id = s.agent_id left join local_nodes o on o.id = l.local_node_id`

  const one = (network: NetworkRow, id: AliasId) =>
    Effect.map(rows(Row)(sql`${select} where l.id = ${id}`), (found) => view(network, found[0]!))
  const find = (network: NetworkRow, name: string) =>
    Effect.flatMap(lookups.alias(network, name), ({ id }) => one(network, id))

  const requireAttached = Effect.fnUntraced(function*(network: NetworkRow, sandbox: SandboxRow) {
    const found = yield* sql`select 1 from attachments where network_id = ${network.id} and sandbox_id = ${sandbox.id}`
    if (found.length === 0) return yield* notAttached(network, sandbox)
  })

  /** Inside a change: creates the alias, or adds ports to the one that its holder has, and puts off its end. */
  const put = Effect.fnUntraced(function*(network: NetworkRow, holder: Holder, name: AliasName, ports: Arr.NonEmptyReadonlyArray<Port>) {
    if (reservedAliases.has(name)) {
      return yield* new ReservedAlias({ detail: `"${name}" is a word of the selector grammar and cannot be an alias.`, hint: "Choose another alias name." })
    }
    const sandboxId = "sandboxId" in holder ? holder.sandboxId : null
    const [localNodeId, expiresAt] = "localNodeId" in holder ? [holder.localNodeId, holder.expiresAt] as const : [null, null] as const
    const [existing] = yield* rows(Row)(sql`${select} where l.network_id = ${network.id} and l.name = ${name}`)
    if (existing !== undefined && (existing.sandboxId !== sandboxId || existing.localId !== localNodeId)) return yield* taken(network, existing, holder)
    const id = existing?.id ?? (yield* makeId(AliasId, "als"))
    if (existing === undefined) {
      yield* sql`insert into aliases (id, network_id, sandbox_id, local_node_id, expires_at, name, created_at)
        values (${id}, ${network.id}, ${sandboxId}, ${localNodeId}, ${expiresAt}, ${name}, ${yield* now})`
      yield* addresses.allocate(id, hostName(name, network.name))
    } else yield* sql`update aliases set expires_at = ${expiresAt} where id = ${id}`
    yield* sql`insert into alias_ports (alias_id, port) select ${id}, value::int from jsonb_array_elements_text(${JSON.stringify(ports)}::jsonb) on conflict do nothing`
    return yield* one(network, id)
  })

  const publish = (network: NetworkRow, sandbox: SandboxRow, name: AliasName, ports: Arr.NonEmptyReadonlyArray<Port>) =>
    put(network, { sandboxId: sandbox.id, name: sandbox.name }, name, ports).pipe(Effect.withSpan("Aliases.publish"))

  /** Inside a change that is about these aliases. */
  const drop = Effect.fnUntraced(function*(network: NetworkRow, ids: ReadonlyArray<AliasId>, because: string) {
    if (ids.length === 0) return
    yield* rules.endWith(network, { aliases: ids }, because)
    yield* addresses.release(ids)
    yield* sql`delete from aliases where id in ${sql.in(ids)}`
  })

  /** Inside a change that is about something else, with which these go. */
  const end = Effect.fnUntraced(function*(network: NetworkRow, ended: ReadonlyArray<typeof Named.Type>, because: string) {
    yield* drop(network, ended.map(({ id }) => id), because)
    yield* audit.writeAll(ended.map((alias) => ({ action: "alias.end", detail: { ...alias, because } })), { networkId: network.id, version: network.version + 1 })
  })

  return {
    publish,
    find,
    drop,

    /** Inside a change: of a joined machine, until a time. One that it has gets the new end. */
    publishFrom: (network: NetworkRow, localNodeId: LocalNodeId, name: AliasName, port: Port, expiresAt: Date) =>
      put(network, { localNodeId, expiresAt }, name, [port]).pipe(Effect.withSpan("Aliases.publishFrom")),

    /** Inside a change of the network: ends what machines publish there, or one of them, or those of one user. */
    endLocal: (network: NetworkRow, because: string, of: { readonly node?: LocalNodeId; readonly user?: string } = {}) => Effect.flatMap(
      rows(Named)(sql`select l.id, l.name from aliases l join local_nodes o on o.id = l.local_node_id where l.network_id = ${network.id}
        and ${of.node === undefined ? sql.literal("true") : sql`o.id = ${of.node}`} and ${of.user === undefined ? sql.literal("true") : sql`o.user_name = ${of.user}`}`),
      (found) => end(network, found, because)),

    list: (ref: string) => stored(Effect.gen(function*() {
      const network = yield* lookups.network(ref)
      const all = yield* rows(Row)(sql`${select} where l.network_id = ${network.id} order by l.name`)
      return all.map((row) => view(network, row))
    })),

    add: (ref: string, sandboxRef: string, name: AliasName, ports: Arr.NonEmptyReadonlyArray<Port>) =>
      changes.apply(ref, "alias.add", Effect.fnUntraced(function*(network) {
        const sandbox = yield* lookups.shareSandbox(sandboxRef)
        yield* requireAttached(network, sandbox)
        return yield* publish(network, sandbox, name, ports)
      })),

    /** With `port`, only that port; the alias goes with its last one. The rules that named what goes, go too. */
    remove: (ref: string, name: string, port?: Port) => changes.apply(ref, "alias.remove", Effect.fnUntraced(function*(network) {
      const alias = yield* find(network, name)
      if (port !== undefined && !alias.ports.includes(port)) return yield* notPublished(network, alias, port)
      if (port !== undefined && alias.ports.length > 1) {
        yield* rules.endWith(network, { alias: alias.id, port }, `port ${port} of alias "${alias.name}" was removed`)
        yield* sql`delete from alias_ports where alias_id = ${alias.id} and port = ${port}`
        return yield* one(network, alias.id)
      }
      yield* drop(network, [alias.id], `alias "${alias.name}" was removed`)
      return alias
    })),

    /** Keeps id, address and rules. */
    move: (ref: string, name: string, sandboxRef: string) => changes.apply(ref, "alias.move", Effect.fnUntraced(function*(network) {
      const alias = yield* lookups.alias(network, name)
      if (alias.localUser !== null) return yield* fromMachine(network, alias.name, alias.localUser)
      const sandbox = yield* lookups.shareSandbox(sandboxRef)
      yield* requireAttached(network, sandbox)
      yield* sql`update aliases set sandbox_id = ${sandbox.id} where id = ${alias.id}`
      return yield* one(network, alias.id)
    })),

    resolve: (ref: string, name: string) => stored(Effect.gen(function*() {
      const network = yield* lookups.network(ref)
      const { id } = yield* lookups.alias(network, name)
      const [row] = yield* rows(Row)(sql`${select} where l.id = ${id}`)
      const { id: _, name: __, ...shown } = view(network, row!)
      return { ...shown, agentId: row!.agentId } satisfies Omit<Resolution, "agentOnline">
    })),

    /** Inside a change, before the sandbox's attachment to this network is deleted. */
    endOf: (network: NetworkRow, sandbox: SandboxId, because: string) => Effect.flatMap(
      rows(Named)(sql`select id, name from aliases where network_id = ${network.id} and sandbox_id = ${sandbox} order by id`), (found) => end(network, found, because))
  }
})

const taken = (network: NetworkRow, { name, sandbox, user }: Row, holder: Holder) => new AliasTaken({
  detail: `The alias "${name}" of network "${network.name}" is published ${sandbox === null ? `from a machine of ${user}` : `by sandbox "${sandbox}"`}.`,
  hint: sandbox === null || !("sandboxId" in holder) ? "Choose another name." : `Choose another name, or move it: gstacks network alias move ${network.name} ${name} ${holder.name}`,
  sandbox: sandbox ?? `local:${user}`
})

const fromMachine = (network: NetworkRow, name: string, user: string) => new PublishedFromMachine({
  detail: `The alias "${name}" of network "${network.name}" is published from a machine of ${user}, and its rules are for that machine.`,
  hint: `End it, and publish it anew: gstacks network alias remove ${network.name} ${name}`
})

export const notAttached = (network: NetworkRow, sandbox: SandboxRow) => new NotAttached({
  detail: `Sandbox "${sandbox.name}" is not attached to network "${network.name}".`,
  hint: `Attach it: gstacks network attach ${network.name} ${sandbox.name}`
})

export const notPublished = (network: NetworkRow, alias: { readonly name: string; readonly ports: ReadonlyArray<number> }, port: number | string) =>
  new PortNotPublished({
    detail: `The alias "${alias.name}" of network "${network.name}" does not publish port ${port}; it publishes ${alias.ports.join(", ")}.`,
    hint: `See the ports: gstacks network alias list ${network.name}`
  })

export class Aliases extends Context.Service<Aliases, Effect.Success<typeof make>>()("gstacks/control/Aliases") {
  static readonly layer = Layer.effect(Aliases, make)
}
