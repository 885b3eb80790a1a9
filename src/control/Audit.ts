/** Who did what, when: one row per change, written in the transaction of the change itself. */
import { Context, Effect, Layer, type Schema } from "effect"
import { SqlClient } from "effect/sql"
import type { NetworkId } from "../domain/Ids.ts"
import { Principal } from "../protocol/http/Authorization.ts"
import { now } from "./Store.ts"

interface Entry { readonly action: string; readonly detail: Schema.Json }
interface About { readonly networkId: NetworkId; readonly version: number }

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const insert = (entries: ReadonlyArray<Entry & Partial<About> & { readonly actor: string }>) => Effect.gen(function*() {
    if (entries.length === 0) return
    yield* sql`insert into audit_log (at, actor, action, network_id, version, detail)
      select ${yield* now}, x.actor, x.action, x."networkId", x.version, coalesce(x.detail, 'null'::jsonb)
      from jsonb_to_recordset(${JSON.stringify(entries)}::jsonb) as x(actor text, action text, "networkId" text, version int, detail jsonb)`
  })
  const writeAll = Effect.fn("Audit.writeAll")(function*(entries: ReadonlyArray<Entry>, about?: About) {
    const { name } = yield* Principal
    yield* insert(entries.map((entry) => ({ ...entry, ...about, actor: name })))
  })

  return {
    writeAll,
    /** On the word of several. */
    writeAs: (entries: ReadonlyArray<Entry & About & { readonly actor: string }>) => insert(entries),
    write: (action: string, detail: Schema.Json, about?: About) => writeAll([{ action, detail }], about)
  }
})

export class Audit extends Context.Service<Audit, Effect.Success<typeof make>>()("gstacks/control/Audit") {
  static readonly layer = Layer.effect(Audit, make)
}
