/**
 * Keeps the coordinator's policy in step with the networks. It is put only when it has changed; callers that come while one is
 * on its way wait for it and find nothing left to do.
 */
import { Context, Effect, Layer, Schema, Semaphore } from "effect"
import { SqlClient } from "effect/sql"
import { NetworkId } from "../domain/Ids.ts"
import type { HeadscaleApi } from "./Headscale/Api.ts"
import { policyFor } from "./Headscale/policy.ts"
import { Mesh } from "./Mesh.ts"
import { rows, stored } from "./Store.ts"

const Living = Schema.Struct({ id: NetworkId })

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const mesh = yield* Mesh
  const oneAtATime = yield* Semaphore.make(1)
  let pushed: { readonly api: HeadscaleApi; readonly policy: string } | undefined

  return {
    /** Done when the coordinator's policy covers every network that is stored now. */
    sync: Effect.gen(function*() {
      const api = yield* mesh.api
      const networks = yield* stored(rows(Living)(sql`select id from networks where deleted_at is null`))
      const policy = policyFor(networks.map((network) => network.id))
      if (pushed?.api === api && pushed.policy === policy) return
      yield* api.setPolicy(policy)
      pushed = { api, policy }
    }).pipe(oneAtATime.withPermits(1), Effect.withSpan("MeshPolicy.sync"))
  }
})

export class MeshPolicy extends Context.Service<MeshPolicy, Effect.Success<typeof make>>()("gstacks/control/MeshPolicy") {
  static readonly layer = Layer.effect(MeshPolicy, make)
}
