/** What is only looked at: meshd answers within a moment, or it is told without. */
import { Effect, type Option } from "effect"
import type { DataPlane } from "../agent/dataplane/DataPlane.ts"
import type { MeshdClient, MeshdFailure } from "../agent/dataplane/MeshdClient.ts"

const patience = "1500 millis"

export const soon = <A>({ meshd }: DataPlane["Service"], ask: (client: MeshdClient) => Effect.Effect<A, MeshdFailure>): Effect.Effect<Option.Option<A>> =>
  meshd.pipe(Effect.flatMap(ask), Effect.timeout(patience), Effect.option)
