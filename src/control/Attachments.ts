/** Which sandbox is a member of which network. Detaching takes the sandbox's aliases in that network, and the rules that named them, along. */
import { Array as Arr, Context, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { AgentName, AliasName, type Port, SandboxName } from "../domain/DnsLabel.ts"
import { type NetworkId, SandboxId } from "../domain/Ids.ts"
import { InvalidRequest } from "../domain/Problems.ts"
import { Aliases, notAttached } from "./Aliases.ts"
import { Changes } from "./Changes.ts"
import { Lookups, type NetworkRow } from "./Lookups.ts"
import { Participants } from "./Participants.ts"
import { now, rows, stored, Time } from "./Store.ts"

const Row = Schema.Struct({ sandboxId: SandboxId, sandbox: SandboxName, agent: AgentName, aliases: Schema.Array(AliasName), attachedAt: Time })

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const lookups = yield* Lookups
  const changes = yield* Changes
  const aliases = yield* Aliases
  const participants = yield* Participants

  const select = sql`select m.sandbox_id, s.name as sandbox, a.name as agent, m.attached_at,
    array(select l.name from aliases l where l.network_id = m.network_id and l.sandbox_id = m.sandbox_id order by l.name) as aliases
    from attachments m join sandboxes s on s.id = m.sandbox_id join agents a on a.id = s.agent_id`
  const one = (network: NetworkId, sandbox: SandboxId) =>
    Effect.map(rows(Row)(sql`${select} where m.network_id = ${network} and m.sandbox_id = ${sandbox}`), (found) => found[0])

  const removeFrom = Effect.fn("Attachments.removeFrom")(function*(network: NetworkRow, sandbox: SandboxId, because: string) {
    yield* aliases.endOf(network, sandbox, because)
    yield* sql`delete from attachments where network_id = ${network.id} and sandbox_id = ${sandbox}`
    yield* participants.refresh(network)
  })

  return {
    list: (ref: string) => stored(Effect.gen(function*() {
      const network = yield* lookups.network(ref)
      return yield* rows(Row)(sql`${select} where m.network_id = ${network.id} order by s.name`)
    })),

    /** Attaching again is no error: it adds the alias, or the ports, that are new. */
    attach: (ref: string, sandboxRef: string, alias: AliasName | undefined, ports: ReadonlyArray<Port>) =>
      changes.apply(ref, "network.attach", Effect.fnUntraced(function*(network) {
        if ((alias === undefined) !== (ports.length === 0)) {
          return yield* new InvalidRequest({
            detail: alias === undefined ? "A port belongs to an alias, and no alias was given." : `The alias "${alias}" has no port.`,
            hint: `Give both, or neither: gstacks network attach ${network.name} ${sandboxRef} --alias ${alias ?? "<name>"} --port ${ports[0] ?? "<port>"}`
          })
        }
        const sandbox = yield* lookups.shareSandbox(sandboxRef)
        yield* sql`insert into attachments (network_id, sandbox_id, attached_at) values (${network.id}, ${sandbox.id}, ${yield* now}) on conflict do nothing`
        yield* participants.refresh(network)
        if (alias !== undefined && Arr.isReadonlyArrayNonEmpty(ports)) yield* aliases.publish(network, sandbox, alias, ports)
        return (yield* one(network.id, sandbox.id))!
      })),

    detach: (ref: string, sandboxRef: string) => changes.apply(ref, "network.detach", Effect.fnUntraced(function*(network) {
      const sandbox = yield* lookups.shareSandbox(sandboxRef)
      const attachment = yield* one(network.id, sandbox.id)
      if (attachment === undefined) return yield* notAttached(network, sandbox)
      yield* removeFrom(network, sandbox.id, `sandbox "${sandbox.name}" was detached`)
      return attachment
    })),

    /** Inside a change of the network. */
    removeFrom,
    removeAll: Effect.fn("Attachments.removeAll")(function*(network: NetworkRow, because: string) {
      for (const member of yield* rows(Row)(sql`${select} where m.network_id = ${network.id}`)) yield* removeFrom(network, member.sandboxId, because)
    })
  }
})

export class Attachments extends Context.Service<Attachments, Effect.Success<typeof make>>()("gstacks/control/Attachments") {
  static readonly layer = Layer.effect(Attachments, make)
}
