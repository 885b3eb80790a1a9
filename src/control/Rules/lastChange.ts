/** From the audit log: what was changed last about the rules for an alias and port. Those of an earlier alias of that name are none of its own. */
import { Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"
import type { AliasName } from "../../domain/DnsLabel.ts"
import type { AliasId } from "../../domain/Ids.ts"
import { RuleChange } from "../../domain/Reachability.ts"
import type { NetworkRow } from "../Lookups.ts"
import { rows, stored, Time } from "../Store.ts"

const ChangeRow = Schema.Struct({ ...RuleChange.fields, at: Time })
/** How a rule goes. */
export const endings: ReadonlyArray<RuleChange["action"]> = ["rule.revoke", "rule.expire", "rule.end"]
const every: ReadonlyArray<RuleChange["action"]> = ["rule.allow", ...endings]

interface Asked {
  readonly alias: { readonly id: AliasId; readonly name: AliasName }
  readonly port: number
  /** Only of these. */
  readonly actions?: ReadonlyArray<RuleChange["action"]>
  /** Of rules from this selector, as it is written, before those from others. */
  readonly from?: string
}

export const lastChange = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  return (network: NetworkRow, { alias, port, from = "", actions = every }: Asked) => stored(Effect.map(rows(ChangeRow)(sql`
    select at, actor as by, action, version, detail as rule, detail->>'because' as because from audit_log
    where network_id = ${network.id} and ${sql.in("action", actions)} and detail->>'to' = ${alias.name}
      and at >= (select created_at from aliases where id = ${alias.id})
      and ${port} between (detail->>'port')::int and (detail->>'lastPort')::int
    order by detail->>'from' = ${from} desc, id desc limit 1`), ([found]) => found))
})
