/** Aliases: the names that attached sandboxes publish in a network, with their ports and virtual addresses. */
import { type Array as Arr, Context, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { AgentName, AliasName, hostName, Port, reservedAliases, SandboxName } from "../domain/DnsLabel.ts"
import { AgentId, AliasId, makeId, type NetworkId, SandboxId } from "../domain/Ids.ts"
import type { Alias, Resolution } from "../domain/Network.ts"
import { AliasTaken, NotAttached, PortNotPublished, ReservedAlias } from "../domain/Problems.ts"
import { VirtualAddress } from "../domain/VirtualAddress.ts"
import { Addresses } from "./Addresses.ts"
import { Changes } from "./Changes.ts"
import { Lookups, type NetworkRow, type SandboxRow } from "./Lookups.ts"
import { now, rows, stored } from "./Store.ts"

const Row = Schema.Struct({
  id: AliasId, name: AliasName, address: VirtualAddress, ports: Schema.Array(Port), sandboxId: SandboxId, sandbox: SandboxName, agentId: AgentId, agent: AgentName
})
type Row = typeof Row.Type
const view = (network: NetworkRow, { agentId: _, ...row }: Row): Alias => ({ ...row, hostName: hostName(row.name, network.name) })

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const lookups = yield* Lookups
  const changes = yield* Changes
  const addresses = yield* Addresses

  const select = sql`select l.id, l.name, v.address, array(select p.port from alias_ports p where p.alias_id = l.id order by p.port) as ports,
    l.sandbox_id, s.name as sandbox, s.agent_id, a.name as agent
    from aliases l join virtual_addresses v on v.alias_id = l.id join sandboxes s on s.id = l.sandbox_id join agents a on a.id = s.agent_id`

  const one = (network: NetworkRow, id: AliasId) =>
    Effect.map(rows(Row)(sql`${select} where l.id = ${id}`), (found) => view(network, found[0]!))
  const find = (network: NetworkRow, name: string) =>
    Effect.flatMap(lookups.alias(network, name), ({ id }) => one(network, id))

  const ownedBy = (network: NetworkId, sandbox: SandboxId) =>
    Effect.map(rows(Schema.Struct({ id: AliasId }))(sql`select id from aliases where network_id = ${network} and sandbox_id = ${sandbox}`), (all) => all.map((row) => row.id))

  const requireAttached = Effect.fnUntraced(function*(network: NetworkRow, sandbox: SandboxRow) {
    const found = yield* sql`select 1 from attachments where network_id = ${network.id} and sandbox_id = ${sandbox.id}`
    if (found.length === 0) return yield* notAttached(network, sandbox)
  })

  /** Inside a change: creates the alias of an attached sandbox, or adds ports to it. */
  const publish = Effect.fn("Aliases.publish")(function*(network: NetworkRow, sandbox: SandboxRow, name: AliasName, ports: Arr.NonEmptyReadonlyArray<Port>) {
    if (reservedAliases.has(name)) {
      return yield* new ReservedAlias({ detail: `"${name}" is a word of the selector grammar and cannot be an alias.`, hint: "Choose another alias name." })
    }
    const [existing] = yield* rows(Schema.Struct({ id: AliasId, sandboxId: SandboxId, sandbox: SandboxName }))(sql`
      select l.id, l.sandbox_id, s.name as sandbox from aliases l join sandboxes s on s.id = l.sandbox_id where l.network_id = ${network.id} and l.name = ${name}`)
    if (existing !== undefined && existing.sandboxId !== sandbox.id) {
      return yield* new AliasTaken({
        detail: `The alias "${name}" of network "${network.name}" is published by sandbox "${existing.sandbox}".`,
        hint: `Choose another name, or move it: gstacks network alias move ${network.name} ${name} ${sandbox.name}`,
        sandbox: existing.sandbox
      })
    }
    const id = existing?.id ?? (yield* makeId(AliasId, "als"))
    if (existing === undefined) {
      yield* sql`insert into aliases (id, network_id, sandbox_id, name, created_at) values (${id}, ${network.id}, ${sandbox.id}, ${name}, ${yield* now})`
      yield* addresses.allocate(id, hostName(name, network.name))
    }
    yield* sql`insert into alias_ports (alias_id, port) select ${id}, value::int from jsonb_array_elements_text(${JSON.stringify(ports)}::jsonb) on conflict do nothing`
    return yield* one(network, id)
  })

  return {
    publish,

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
        yield* sql`delete from alias_ports where alias_id = ${alias.id} and port = ${port}`
        return yield* one(network, alias.id)
      }
      yield* addresses.release([alias.id])
      yield* sql`delete from aliases where id = ${alias.id}`
      return alias
    })),

    /** Keeps id, address and rules. */
    move: (ref: string, name: string, sandboxRef: string) => changes.apply(ref, "alias.move", Effect.fnUntraced(function*(network) {
      const alias = yield* lookups.alias(network, name)
      const sandbox = yield* lookups.shareSandbox(sandboxRef)
      yield* requireAttached(network, sandbox)
      yield* sql`update aliases set sandbox_id = ${sandbox.id} where id = ${alias.id}`
      return yield* one(network, alias.id)
    })),

    resolve: (ref: string, name: string) => stored(Effect.gen(function*() {
      const network = yield* lookups.network(ref)
      const { id } = yield* lookups.alias(network, name)
      const [row] = yield* rows(Row)(sql`${select} where l.id = ${id}`)
      const { id: _, name: alias, ...rest } = row!
      return { ...rest, hostName: hostName(alias, network.name) } satisfies Omit<Resolution, "agentOnline">
    })),

    /** Inside a change, before the sandbox's attachment to this network is deleted. */
    releaseOf: (network: NetworkId, sandbox: SandboxId) => Effect.flatMap(ownedBy(network, sandbox), addresses.release)
  }
})

export const notAttached = (network: NetworkRow, sandbox: SandboxRow) => new NotAttached({
  detail: `Sandbox "${sandbox.name}" is not attached to network "${network.name}".`,
  hint: `Attach it: gstacks network attach ${network.name} ${sandbox.name}`
})

export const notPublished = (network: NetworkRow, alias: { readonly name: string; readonly ports: ReadonlyArray<number> }, port: number) =>
  new PortNotPublished({
    detail: `The alias "${alias.name}" of network "${network.name}" does not publish port ${port}; it publishes ${alias.ports.join(", ")}.`,
    hint: `See the ports: gstacks network alias list ${network.name}`
  })

export class Aliases extends Context.Service<Aliases, Effect.Success<typeof make>>()("gstacks/control/Aliases") {
  static readonly layer = Layer.effect(Aliases, make)
}
