/** What this agent says of its host when it attaches. */
import { Clock, Context, Effect, Layer } from "effect"
import type { HostFacts } from "../domain/Agent.ts"
import { Config } from "./Config.ts"
import { DataPlane } from "./dataplane/DataPlane.ts"
import { version } from "./version.ts"

export class Host extends Context.Service<Host, { readonly facts: Effect.Effect<HostFacts> }>()("gstacks/agent/Host") {
  static readonly layer = Layer.effect(Host, Effect.gen(function*() {
    const config = yield* Config
    const dataPlane = yield* DataPlane
    const startedAt = new Date(yield* Clock.currentTimeMillis).toISOString()
    return Host.of({
      facts: Effect.map(dataPlane.hello, (hello) => ({
        version, startedAt, localSocket: config.agentSocket, topologyMaxAgeMs: config.topologyMaxAgeMs, meshdVersion: hello?.version ?? null,
        transport: hello === undefined ? "unknown" : hello.capabilities.tun ? "tun" : "netstack"
      }))
    })
  }))
}
