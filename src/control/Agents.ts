/** Agents: enrolment (a token is traded for a credential of the agent's own), authentication, and what is known of each host. */
import { Context, Effect, Layer, Option, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { HostFacts, type Agent } from "../domain/Agent.ts"
import { contactOf } from "../domain/Contact.ts"
import { AgentName } from "../domain/DnsLabel.ts"
import { AgentId, makeId } from "../domain/Ids.ts"
import { AgentInUse, EnrolmentRefused } from "../domain/Problems.ts"
import { askingAnew } from "./askingAnew.ts"
import { Audit } from "./Audit.ts"
import { asPrincipal } from "./Changes.ts"
import { AgentRow, Lookups } from "./Lookups.ts"
import { hashSecret, makeSecret } from "./Secrets.ts"
import { Sessions } from "./Sessions.ts"
import { now, rows, stored, Time } from "./Store.ts"
import { Tokens } from "./Tokens.ts"

const Row = Schema.Struct({
  id: AgentId, name: AgentName, host: Schema.NullOr(HostFacts), enrolledAt: Time, lastSeenAt: Schema.NullOr(Time),
  sandboxes: Schema.Int, networks: Schema.Array(Schema.String)
})

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const lookups = yield* Lookups
  const audit = yield* Audit
  const tokens = yield* Tokens
  const sessions = yield* Sessions

  const select = sql`select a.id, a.name, a.host, a.enrolled_at, a.last_seen_at,
    (select count(*)::int from sandboxes s where s.agent_id = a.id) as sandboxes,
    array(select distinct n.name from networks n join attachments m on m.network_id = n.id join sandboxes s on s.id = m.sandbox_id
      where s.agent_id = a.id order by n.name) as networks from agents a`
  /** Who is connected is seen now; the column tells of the others. */
  const views = (found: ReadonlyArray<typeof Row.Type>) => Effect.map(now, (at) => found.map((row): Agent => {
    const online = sessions.isOnline(row.id)
    const lastSeenAt = online ? at.toISOString() : row.lastSeenAt
    const limitMs = row.host?.topologyMaxAgeMs
    const contact = limitMs === undefined ? {} : { contact: contactOf({ inTouch: online, last: lastSeenAt === null ? 0 : Date.parse(lastSeenAt), limitMs }, at.getTime()) }
    return { ...row, online, lastSeenAt, ...contact }
  }))
  const one = (id: AgentId) => Effect.map(Effect.flatMap(rows(Row)(sql`${select} where a.id = ${id}`), views), ([agent]) => agent!)

  return {
    list: stored(Effect.flatMap(rows(Row)(sql`${select} order by a.name`), views)),
    show: (ref: string) => stored(Effect.flatMap(lookups.agent(ref), ({ id }) => one(id))),

    remove: (ref: string) => askingAnew(sessions, (concerns) => stored(sql.withTransaction(Effect.gen(function*() {
      const { id, name } = yield* lookups.lockAgent(ref)
      concerns(id)
      const agent = yield* one(id)
      if (agent.sandboxes > 0) {
        return yield* new AgentInUse({
          detail: `Agent "${name}" hosts ${agent.sandboxes} sandbox(es).`,
          hint: "Remove them first (gstacks sandbox list, gstacks sandbox remove <name>); that also works while the agent is away."
        })
      }
      yield* sql`delete from agents where id = ${id}`
      yield* audit.write("agent.remove", { id, name })
      yield* sql.afterCommit(sessions.close(id))
      return agent
    })))),

    enrol: (token: string, name: AgentName) => stored(sql.withTransaction(Effect.gen(function*() {
      const refusal = yield* tokens.spend(token, name)
      if (refusal !== undefined) {
        return yield* new EnrolmentRefused({ detail: `The enrolment token was refused: ${refusal}.`, hint: "Make a new one: gstacks agent token create" })
      }
      const credential = yield* makeSecret("agent")
      const id = yield* makeId(AgentId, "agt")
      const inserted = yield* sql`insert into agents (id, name, credential_hash, enrolled_at)
        values (${id}, ${name}, ${hashSecret(credential)}, ${yield* now}) on conflict (name) do nothing returning id`
      if (inserted.length === 0) {
        return yield* new EnrolmentRefused({
          detail: `An agent named "${name}" is enrolled already.`,
          hint: `Choose another name (GLOBALSTACKS_AGENT_NAME), or remove the old one: gstacks agent remove ${name}`
        })
      }
      yield* audit.write("agent.enrol", { id, name })
      return { agentId: id, name, credential }
    }).pipe(asPrincipal(`agent ${name}`)))),

    authenticate: (credential: string) => stored(Effect.map(
      rows(AgentRow)(sql`select id, name from agents where credential_hash = ${hashSecret(credential)}`), (found) => Option.fromUndefinedOr(found[0]))),

    seen: (id: AgentId, host: HostFacts) => stored(Effect.gen(function*() {
      yield* sql`update agents set host = ${JSON.stringify(host)}::jsonb, last_seen_at = ${yield* now} where id = ${id}`
    })),
    gone: (id: AgentId) => stored(Effect.gen(function*() {
      yield* sql`update agents set last_seen_at = ${yield* now} where id = ${id}`
    }))
  }
})

export class Agents extends Context.Service<Agents, Effect.Success<typeof make>>()("gstacks/control/Agents") {
  static readonly layer = Layer.effect(Agents, make)
}
