/**
 * The way to the mesh coordinator: where nodes dial it, and its API while it can be asked. In managed mode the API comes and goes
 * with the Headscale that we run; with an existing one it is always at the same place.
 */
import { Context, Effect, Layer, Option, Redacted, SubscriptionRef } from "effect"
import { MeshUnavailable } from "../domain/Problems.ts"
import type { MeshConfig } from "./Config.ts"
import { type HeadscaleApi, makeApi } from "./Headscale/Api.ts"

export class Mesh extends Context.Service<Mesh, {
  readonly controlUrl: string
  /** A key made beforehand, used instead of minting one per join. */
  readonly staticKey: Option.Option<Redacted.Redacted>
  readonly user: string | undefined
  readonly api: Effect.Effect<HeadscaleApi, MeshUnavailable>
  /** Changes whenever the API appears or goes away. */
  readonly current: SubscriptionRef.SubscriptionRef<Option.Option<HeadscaleApi>>
}>()("gstacks/control/Mesh") {
  static readonly layer = (config: MeshConfig) => Layer.effect(Mesh, Effect.gen(function*() {
    const current = yield* SubscriptionRef.make(Option.none<HeadscaleApi>())
    if (config._tag === "External") yield* SubscriptionRef.set(current, Option.some(yield* makeApi(config.apiUrl, config.apiToken)))
    const why = config._tag === "None"
      ? new MeshUnavailable({ detail: "No mesh is configured.", hint: "Set GLOBALSTACKS_MESH_HEADSCALE_LISTEN_ADDR, or GLOBALSTACKS_MESH_API_URL and its token, and restart the control plane." })
      : new MeshUnavailable({ detail: "The mesh coordinator is not running at the moment.", hint: "It is started again by itself; an operator finds the cause in the control plane's log." })
    return Mesh.of({
      controlUrl: config._tag === "None" ? "" : config.controlUrl,
      staticKey: config._tag === "External" ? config.authKey : Option.none(),
      user: config._tag === "External" ? config.user : undefined,
      api: Effect.flatMap(SubscriptionRef.get(current), (api) => Option.isSome(api) ? Effect.succeed(api.value) : Effect.fail(why)),
      current
    })
  }))
}
