/**
 * Removing a sandbox: one transaction takes it out of every network that knows it, with its aliases and the rules bound to it;
 * then its agent ends it. An agent that is away ends it when it returns, because nobody asks for it any more.
 */
import { Context, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { type AgentId, NetworkId, type SandboxId } from "../../domain/Ids.ts"
import type { Change } from "../../domain/Receipt.ts"
import { askingAnew } from "../askingAnew.ts"
import { Attachments } from "../Attachments.ts"
import { Audit } from "../Audit.ts"
import { Changes } from "../Changes.ts"
import { Lookups, type NetworkRow } from "../Lookups.ts"
import { RuleStore } from "../Rules/RuleStore.ts"
import { Sessions } from "../Sessions.ts"
import { rows, stored } from "../Store.ts"

const Id = Schema.Struct({ id: NetworkId })

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const lookups = yield* Lookups
  const audit = yield* Audit
  const changes = yield* Changes
  const attachments = yield* Attachments
  const rules = yield* RuleStore
  const sessions = yield* Sessions

  /** The networks that have the sandbox as a member, or a rule bound to it, in the order in which they are to be locked. */
  const involved = (sandbox: SandboxId) => rows(Id)(sql`
    select network_id as id from attachments where sandbox_id = ${sandbox} union select network_id from rules where source_sandbox_id = ${sandbox} order by id`)

  const attempt = (ref: string, concerns: (agent: AgentId) => void) => changes.transaction(Effect.gen(function*() {
    const { id } = yield* lookups.sandbox(ref)
    const networks: Array<NetworkRow> = []
    for (const network of yield* involved(id)) networks.push(yield* lookups.lockNetwork(network.id))
    const sandbox = yield* lookups.lockSandbox(id)
    concerns(sandbox.agentId)
    if ((yield* involved(id)).length > networks.length) return undefined // one more meanwhile
    const because = `sandbox "${sandbox.name}" was removed`
    for (const network of networks) {
      yield* attachments.removeFrom(network, id, because)
      yield* rules.endWith(network, { sandbox: id }, because)
    }
    yield* sql`delete from sandboxes where id = ${id}`
    const made: Array<Change> = []
    for (const network of networks) made.push(yield* changes.record(network, "sandbox.remove", { id, name: sandbox.name }))
    if (networks.length === 0) yield* audit.write("sandbox.remove", { id, name: sandbox.name })
    return { sandbox, changes: made }
  })).pipe(Effect.catchTag("NetworkNotFound", () => Effect.undefined)) // removed meanwhile

  return {
    remove: Effect.fn("SandboxRemoval.remove")(function*(ref: string) {
      const removed = yield* askingAnew(sessions, (concerns) => stored(attempt(ref, concerns))).pipe(Effect.repeat({ until: (result) => result !== undefined }))
      const { id, agentId, agent } = removed!.sandbox
      yield* Effect.ignore(sessions.call({ id: agentId, name: agent }, "15 seconds", (client) => client.RemoveSandbox({ id })))
      return removed!
    })
  }
})

export class SandboxRemoval extends Context.Service<SandboxRemoval, Effect.Success<typeof make>>()("gstacks/control/SandboxRemoval") {
  static readonly layer = Layer.effect(SandboxRemoval, make)
}
