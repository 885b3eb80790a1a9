/** The rows of rules, with their sources bound to ids. Everything here runs inside a change of the network, but for `of`. */
import { Context, Effect, Layer, Queue, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { AliasName, Port, portRangeText } from "../../domain/DnsLabel.ts"
import { AliasId, makeId, type NetworkId, RuleId, type SandboxId } from "../../domain/Ids.ts"
import type { Rule } from "../../domain/Network.ts"
import { Source, sourceText } from "../../domain/Selector.ts"
import { Principal } from "../../protocol/http/Authorization.ts"
import { Audit } from "../Audit.ts"
import type { NetworkRow } from "../Lookups.ts"
import { now, rows, Time } from "../Store.ts"

/** `sourceName`: today's name of what the source is bound to. */
export const RuleRow = Schema.Struct({
  id: RuleId, source: Source, sourceName: Schema.NullOr(Schema.String), aliasId: AliasId, to: AliasName, firstPort: Port, lastPort: Port,
  expiresAt: Schema.NullOr(Time), comment: Schema.NullOr(Schema.String), createdAt: Time, createdBy: Schema.String
})
export type RuleRow = typeof RuleRow.Type

export const toRule = ({ source, sourceName, aliasId: _, firstPort, ...row }: RuleRow): Rule => ({
  ...row, from: sourceText(source, sourceName), port: firstPort, ports: portRangeText({ first: firstPort, last: row.lastPort })
})

/** Who may reach what until when, before it has an id. `expiresAt` in milliseconds since the epoch; null: until it is revoked. */
export interface BoundRule {
  readonly source: Source
  readonly aliasId: AliasId
  readonly first: Port
  readonly last: Port
  readonly expiresAt: number | null
  readonly comment: string | null
}

/** What rules are bound to, and go with. */
type Bound = { readonly aliases: ReadonlyArray<AliasId> } | { readonly alias: AliasId; readonly port: Port } | { readonly sandbox: SandboxId }

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const audit = yield* Audit
  const deadlines = yield* Queue.sliding<void>(1)

  const select = sql`select r.id, r.source, coalesce(s.name, f.name) as source_name, r.alias_id, l.name as "to", r.first_port, r.last_port, r.expires_at, r.comment, r.created_at, r.created_by
    from rules r join aliases l on l.id = r.alias_id left join sandboxes s on s.id = r.source_sandbox_id left join aliases f on f.id = r.source_alias_id`

  const boundTo = (to: Bound) => {
    if ("sandbox" in to) return sql`r.source_sandbox_id = ${to.sandbox}`
    if ("port" in to) return sql`r.alias_id = ${to.alias} and r.port = ${to.port}`
    return sql`(${sql.in("r.alias_id", to.aliases)} or ${sql.in("r.source_alias_id", to.aliases)})`
  }
  const remove = (ids: ReadonlyArray<RuleId>) => ids.length === 0 ? Effect.void : Effect.asVoid(sql`delete from rules where id in ${sql.in(ids)}`)

  return {
    of: (network: NetworkId) => rows(RuleRow)(sql`${select} where r.network_id = ${network} order by r.id`),

    one: (network: NetworkId, id: string) => Effect.map(rows(RuleRow)(sql`${select} where r.network_id = ${network} and r.id = ${id}`), ([found]) => found),

    overdue: Effect.fn("RuleStore.overdue")(function*(network: NetworkId) {
      return yield* rows(RuleRow)(sql`${select} where r.network_id = ${network} and r.expires_at <= ${yield* now} order by r.id`)
    }),

    /** A rule that is there keeps its id and gets the new terms. Answers with the ids, in no order. */
    put: Effect.fn("RuleStore.put")(function*(network: NetworkId, rules: ReadonlyArray<BoundRule>) {
      const records = yield* Effect.forEach(rules, ({ expiresAt, ...rule }) =>
        Effect.map(makeId(RuleId, "rul"), (id) => ({ ...rule, id, expiresAt: expiresAt === null ? null : new Date(expiresAt) })))
      if (records.some(({ expiresAt }) => expiresAt !== null)) yield* sql.afterCommit(Effect.asVoid(Queue.offer(deadlines, undefined)))
      const stored = yield* rows(Schema.Struct({ id: RuleId }))(sql`
        insert into rules (id, network_id, source, source_sandbox_id, source_alias_id, alias_id, port, first_port, last_port, expires_at, comment, created_at, created_by)
        select x.id, ${network}, x.source, x.source->>'sandboxId', x.source->>'aliasId', x."aliasId", case when x.first = x.last then x.first end, x.first, x.last,
          x."expiresAt", x.comment, ${yield* now}, ${(yield* Principal).name}
        from jsonb_to_recordset(${JSON.stringify(records)}::jsonb) as x(id text, source jsonb, "aliasId" text, first int, last int, "expiresAt" timestamptz, comment text)
        on conflict (network_id, source, alias_id, first_port, last_port) do update set expires_at = excluded.expires_at, comment = excluded.comment
        returning id`)
      return stored.map(({ id }) => id)
    }),

    remove,

    /** Ends the rules that are bound to what is about to go. The database would do so by itself, but without a word in the audit log. */
    endWith: Effect.fn("RuleStore.endWith")(function*(network: NetworkRow, what: Bound, because: string) {
      const ended = yield* rows(RuleRow)(sql`${select} where r.network_id = ${network.id} and ${boundTo(what)} order by r.id`)
      if (ended.length === 0) return
      yield* remove(ended.map(({ id }) => id))
      yield* audit.writeAll(ended.map((rule) => ({ action: "rule.end", detail: { ...toRule(rule), because } })), { networkId: network.id, version: network.version + 1 })
    }),

    /** Tells that a rule got an end. */
    deadlines: deadlines as Queue.Dequeue<void>
  }
})

export class RuleStore extends Context.Service<RuleStore, Effect.Success<typeof make>>()("gstacks/control/RuleStore") {
  static readonly layer = Layer.effect(RuleStore, make)
}
