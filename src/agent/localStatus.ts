/** The agent as `gstacks doctor` and `agent.sock` show it, put together from its actors and its knowledge. */
import { Effect } from "effect"
import { ActorSystem } from "../actors/runtime/ActorSystem.ts"
import type { LocalStatus } from "../protocol/local/LocalRpcs.ts"
import * as Address from "./addresses.ts"
import { Config } from "./Config.ts"
import { DataPlane } from "./dataplane/DataPlane.ts"
import { Freshness } from "./Freshness.ts"
import { Knowledge } from "./Knowledge.ts"
import { Sandboxes } from "./Sandboxes.ts"
import { version } from "./version.ts"

interface Seen { readonly state: string; readonly since: number; readonly context: Readonly<Record<string, unknown>> }
const away: Seen = { state: "restarting", since: 0, context: {} }

export const localStatus = Effect.gen(function*() {
  const actors = yield* ActorSystem
  const config = yield* Config
  const dataPlane = yield* DataPlane
  const freshness = yield* Freshness
  const knowledge = yield* Knowledge
  const sandboxes = yield* Sandboxes

  const see = (address: string): Effect.Effect<Seen> => Effect.orElseSucceed(actors.snapshot(address), () => away)
  const errorOf = ({ context }: Seen): string | null => typeof context["lastError"] === "string" ? context["lastError"] : null

  const networkStatus = Effect.fnUntraced(function*({ networkId, name, version }: { readonly networkId: Parameters<typeof Address.network>[0]; readonly name: string; readonly version: number }) {
    const node = yield* dataPlane.node(networkId)
    return {
      networkId, name, version, state: (yield* see(Address.topology(networkId))).state, join: last((yield* see(Address.join(networkId))).state),
      nodeId: node?.nodeId ?? null, transport: node?.transport ?? null, peers: node?.peers.length ?? 0, peersReady: node?.peers.filter((peer) => peer.ready).length ?? 0
    }
  })

  return Effect.gen(function*(): Effect.fn.Return<LocalStatus> {
    const link = yield* see(Address.link)
    const plane = yield* see(Address.dataPlane)
    return {
      agentId: knowledge.identity?.agentId ?? null, agent: knowledge.identity?.name ?? null, version, pid: process.pid,
      link: { state: last(link.state), controlUrl: config.controlUrl, since: new Date(link.since).toISOString(), lastError: errorOf(link) },
      dataPlane: {
        state: last(plane.state), lastError: errorOf(plane), meshdPid: (yield* dataPlane.hello)?.pid ?? null,
        generation: (yield* dataPlane.inForce)?.generation ?? 0
      },
      dns: { state: last((yield* see(Address.dns)).state), address: `${config.dns.host}:${config.dns.port}` },
      contact: yield* freshness.contact,
      sandboxes: yield* sandboxes.statuses,
      networks: yield* Effect.forEach(knowledge.topologies.values(), networkStatus)
    }
  })
})

/** `session.online` -> `online`. */
const last = (state: string): string => state.slice(state.lastIndexOf(".") + 1)
