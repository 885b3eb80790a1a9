/** Who did what, when: one row per change, written in the transaction of the change itself. */
import { Context, Effect, Layer, type Schema } from "effect"
import { SqlClient } from "effect/sql"
import type { NetworkId } from "../domain/Ids.ts"
import { Principal } from "../protocol/http/Api.ts"
import { now } from "./Store.ts"

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  return {
    write: Effect.fn("Audit.write")(function*(action: string, detail: Schema.Json, about?: { readonly networkId: NetworkId; readonly version: number }) {
      const { name } = yield* Principal
      yield* sql`insert into audit_log (at, actor, action, network_id, version, detail)
        values (${yield* now}, ${name}, ${action}, ${about?.networkId ?? null}, ${about?.version ?? null}, ${JSON.stringify(detail)}::jsonb)`
    })
  }
})

export class Audit extends Context.Service<Audit, Effect.Success<typeof make>>()("gstacks/control/Audit") {
  static readonly layer = Layer.effect(Audit, make)
}
