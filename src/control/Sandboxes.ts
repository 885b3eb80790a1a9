/**
 * Sandboxes: what owners ask for, kept in step with what agents report. Running one stores it, has the agent start it, and takes
 * it back when that fails; removing one detaches it everywhere at once, also while its agent is away.
 */
import { Context, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { AgentName, Labels, SandboxName } from "../domain/DnsLabel.ts"
import { AgentId, makeId, SandboxId } from "../domain/Ids.ts"
import { AgentUnavailable, InvalidRequest, SandboxExists, SandboxFailed } from "../domain/Problems.ts"
import { isUnknownToAgent, SandboxSpec, SandboxState, type SandboxStatus, unknownToAgent } from "../domain/Sandbox.ts"
import { NotYours } from "../protocol/agent/ControlRpcs.ts"
import { askingAnew } from "./askingAnew.ts"
import { Audit } from "./Audit.ts"
import { AgentRow, Lookups } from "./Lookups.ts"
import { SandboxRemoval } from "./Sandboxes/Removal.ts"
import { Sessions } from "./Sessions.ts"
import { now, rows, stored, Time } from "./Store.ts"

const Row = Schema.Struct({
  id: SandboxId, name: SandboxName, agentId: AgentId, agent: AgentName, labels: Labels, spec: SandboxSpec, state: SandboxState,
  exitCode: Schema.NullOr(Schema.Int), reason: Schema.NullOr(Schema.String),
  networks: Schema.Array(Schema.Struct({ network: Schema.String, aliases: Schema.Array(Schema.String) })), createdAt: Time
})
const Desired = Schema.Struct({ id: SandboxId, name: SandboxName, spec: SandboxSpec, run: Schema.Boolean })

const beforeEnd: ReadonlyArray<SandboxState> = ["pending", "preparing", "running", "stopping"]

/** Agents may say more than anyone wants to store. */
const longestReason = 2000

export interface RunRequest {
  readonly name: SandboxName
  readonly agent?: string
  readonly labels: Labels
  readonly spec: SandboxSpec
  readonly replace: boolean
}

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const lookups = yield* Lookups
  const audit = yield* Audit
  const sessions = yield* Sessions
  const removal = yield* SandboxRemoval

  const select = sql`select s.id, s.name, s.agent_id, a.name as agent, s.labels, s.spec, s.state, s.exit_code, s.reason, s.created_at,
    (select coalesce(json_agg(json_build_object('network', n.name, 'aliases',
        (select coalesce(json_agg(l.name order by l.name), '[]') from aliases l where l.network_id = m.network_id and l.sandbox_id = s.id)) order by n.name), '[]')
      from attachments m join networks n on n.id = m.network_id where m.sandbox_id = s.id) as networks
    from sandboxes s join agents a on a.id = s.agent_id`
  const show = (ref: string) => stored(Effect.gen(function*() {
    const { id } = yield* lookups.sandbox(ref)
    const [row] = yield* rows(Row)(sql`${select} where s.id = ${id}`)
    return row ?? (yield* lookups.noSandbox(ref))
  }))

  /** The agent asked for, or the online one with the fewest sandboxes. */
  const choose = Effect.fnUntraced(function*(ref: string | undefined) {
    if (ref !== undefined) return yield* lookups.agent(ref)
    const online = new Set((yield* sessions.online).map((session) => session.agentId))
    const [idlest] = (yield* rows(AgentRow)(sql`select a.id, a.name from agents a left join sandboxes s on s.agent_id = a.id
      group by a.id, a.name order by count(s.id), a.name`)).filter((agent) => online.has(agent.id))
    return idlest ?? (yield* new AgentUnavailable({ detail: "No agent is connected.", hint: "See the agents: gstacks agent list" }))
  })

  const store = (request: RunRequest, agent: AgentRow) => sql.withTransaction(Effect.gen(function*() {
    const { id: agentId } = yield* lookups.shareAgent(agent.name) // it may have been removed since it was chosen
    const id = yield* makeId(SandboxId, "sbx")
    const inserted = yield* sql`insert into sandboxes (id, name, agent_id, labels, spec, run, state, created_at)
      values (${id}, ${request.name}, ${agentId}, ${JSON.stringify(request.labels)}::jsonb, ${JSON.stringify(request.spec)}::jsonb, true, 'pending', ${yield* now})
      on conflict (name) do nothing returning id`
    if (inserted.length === 0) {
      return yield* new SandboxExists({
        detail: `A sandbox named "${request.name}" is alive.`,
        hint: `Remove it (gstacks sandbox remove ${request.name}), or replace it with --replace.`
      })
    }
    yield* audit.write("sandbox.run", { id, name: request.name, agent: agent.name })
    return id
  }))

  /** A state never goes back: the answer to a start may arrive after the report that the program has ended. */
  const record = (agent: AgentId, status: SandboxStatus, onlyFrom?: ReadonlyArray<SandboxState>) => {
    const ended = status.state === "stopped" || status.state === "failed"
    return sql`update sandboxes set state = ${status.state}, exit_code = ${status.exitCode}, reason = ${status.reason?.slice(0, longestReason) ?? null}, run = run and not ${ended}::boolean
      where id = ${status.id} and agent_id = ${agent} ${onlyFrom === undefined ? sql.literal("") : sql`and state in ${sql.in(onlyFrom)}`}`
  }

  return {
    list: stored(rows(Row)(sql`${select} order by s.name`)),
    show,

    run: Effect.fn("Sandboxes.run")(function*(request: RunRequest) {
      yield* checkBinds(request.spec)
      const agent = yield* stored(choose(request.agent))
      if (!sessions.isOnline(agent.id)) {
        return yield* new AgentUnavailable({ detail: `Agent "${agent.name}" is not connected.`, hint: `See its state: gstacks agent show ${agent.name}` })
      }
      if (request.replace) yield* Effect.catchTag(removal.remove(request.name), "SandboxNotFound", () => Effect.void)
      const id = yield* askingAnew(sessions, (concerns) => {
        concerns(agent.id)
        return stored(store(request, agent))
      })
      const status = yield* sessions.call(agent, "30 seconds", (client) => client.StartSandbox({ id, name: request.name, spec: request.spec })).pipe(
        Effect.catchTag("SandboxStartFailed", (failed) => new SandboxFailed({ detail: `Agent "${agent.name}" could not start the sandbox: ${failed.reason}`, hint: failed.hint })),
        Effect.onError(() => Effect.ignore(removal.remove(id)))
      )
      yield* stored(record(agent.id, status, ["pending", "preparing"]))
      return yield* Effect.catchTag(show(id), "SandboxNotFound", () =>
        new SandboxFailed({ detail: `Sandbox "${request.name}" was removed while it started.`, hint: "Run it again." }))
    }),

    stop: Effect.fn("Sandboxes.stop")(function*(ref: string) {
      const sandbox = yield* stored(lookups.sandbox(ref))
      const agent = { id: sandbox.agentId, name: sandbox.agent }
      if (sessions.isOnline(agent.id)) {
        yield* askingAnew(sessions, (concerns) => {
          concerns(agent.id)
          return stored(sql.withTransaction(Effect.andThen(
            sql`update sandboxes set run = false where id = ${sandbox.id}`, audit.write("sandbox.stop", { id: sandbox.id, name: sandbox.name })
          )))
        })
      }
      const status = yield* sessions.call(agent, "20 seconds", (client) => client.StopSandbox({ id: sandbox.id })).pipe(
        Effect.catchTag("UnknownSandbox", () => Effect.succeed(unknownToAgent(sandbox.id)))
      )
      yield* stored(record(agent.id, status))
      return yield* show(sandbox.id)
    }),

    remove: removal.remove,

    logs: Effect.fn("Sandboxes.logs")(function*(ref: string) {
      const sandbox = yield* stored(lookups.sandbox(ref))
      return yield* sessions.call({ id: sandbox.agentId, name: sandbox.agent }, "10 seconds", (client) => client.SandboxLogs({ id: sandbox.id, maxBytes: 1 << 20 })).pipe(
        Effect.catchTag("UnknownSandbox", () => Effect.succeed({ text: "", truncated: false })))
    }),

    /** An agent's word about a sandbox of its own. One that is not stored (any more) is nothing to record: the agent drops it by `desired`. */
    report: (agent: AgentRow, status: SandboxStatus) => stored(Effect.gen(function*() {
      const [owner] = yield* rows(Schema.Struct({ agentId: AgentId }))(sql`select agent_id from sandboxes where id = ${status.id}`)
      if (owner !== undefined && owner.agentId !== agent.id) {
        return yield* new NotYours({ message: `Sandbox ${status.id} is not hosted by agent "${agent.name}".` })
      }
      yield* record(agent.id, status, isUnknownToAgent(status) ? beforeEnd : undefined)
    })),

    desired: (agent: AgentId) => stored(rows(Desired)(sql`select id, name, spec, run from sandboxes where agent_id = ${agent} order by id`))
  }
})

const checkBinds = (spec: SandboxSpec): Effect.Effect<void, InvalidRequest> => {
  const relative = spec.binds.flatMap((bind) => [bind.source, bind.target]).find((path) => !path.startsWith("/"))
  return relative === undefined ? Effect.void : Effect.fail(
    new InvalidRequest({ detail: `The bind path "${relative}" is not absolute.`, hint: "Write --bind /host/path:/sandbox/path." }))
}

export class Sandboxes extends Context.Service<Sandboxes, Effect.Success<typeof make>>()("gstacks/control/Sandboxes") {
  static readonly layer = Layer.effect(Sandboxes, make).pipe(Layer.provide(SandboxRemoval.layer))
}
