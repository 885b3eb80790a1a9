/** What was seen of the agents while a run went on, for the invariants to judge afterwards. */
import { Effect, Layer } from "effect"
import { Networks } from "../../src/agent/Networks.ts"
import type { Plan } from "../../src/protocol/meshd/Messages.ts"
import type { Time } from "./Time.ts"

export type Seen = { readonly at: number; readonly host: string } & (
  /** By network: the version, and the permits on either side. */
  | { readonly event: "inForce"; readonly networks: ReadonlyMap<string, number>; readonly permits: ReadonlyArray<Permit> }
  /** The agent says that it is on disk and in force. */
  | { readonly event: "acknowledged"; readonly network: string; readonly version: number }
  | { readonly event: "dropped"; readonly network: string }
  | { readonly event: "started" }
  /** meshd is gone, and with it everything in force. */
  | { readonly event: "meshdGone" }
  /** Of a network's topology: there was no room for it, so its file goes, rather than an older version staying; or it is on the disk again. */
  | { readonly event: "notWritten" | "kept"; readonly network: string })

/** Either side of a permission: a sandbox may reach an alias and port. */
export interface Permit { readonly side: "outbound" | "inbound"; readonly network: string; readonly source: string; readonly alias: string; readonly port: number; readonly until: number; readonly isFrozen: boolean }

export class Trace {
  readonly seen: Array<Seen> = []
  readonly #time: Time
  /** An alias keeps its name as long as it lives. */
  readonly aliasNames = new Map<string, string>()

  constructor(time: Time) { this.#time = time }

  note(host: string, event: DistributiveOmit<Seen, "at" | "host">): void { this.seen.push({ at: this.#time.now, host, ...event } as Seen) }

  topologyFile(host: string, event: "notWritten" | "kept", path: string): void {
    const network = /^\/state\/topologies\/(\w+)\.json/.exec(path)?.[1]
    if (network !== undefined) this.note(host, { event, network })
  }

  inForce(host: string, plan: Plan): void {
    this.note(host, { event: "inForce", networks: new Map(plan.networks.map(({ id, topologyVersion }) => [id, topologyVersion])), permits: permitsOf(plan) })
  }

  /** The agent's networks, listened in on. */
  readonly listening = (host: string, real: typeof Networks.layer): typeof Networks.layer => Layer.effect(Networks, Effect.gen({ self: this }, function*() {
    const networks = yield* Networks
    return Networks.of({
      ...networks,
      receive: (update) => Effect.suspend(() => {
        for (const alias of update._tag === "Snapshot" ? update.topology.aliases : update.delta.aliases.upsert) this.aliasNames.set(alias.id, alias.name)
        return Effect.tap(networks.receive(update), ({ networkId, version }) => Effect.sync(() => this.note(host, { event: "acknowledged", network: networkId, version })))
      }),
      drop: (id) => Effect.andThen(Effect.sync(() => this.note(host, { event: "dropped", network: id })), networks.drop(id))
    })
  })).pipe(Layer.provide(real))
}

type DistributiveOmit<A, K extends PropertyKey> = A extends unknown ? Omit<A, K> : never

export const permitsOf = ({ outbound, inbound }: Plan): ReadonlyArray<Permit> => [
  ...outbound.map(({ network, sandbox, alias, port, expiresAt = Infinity, frozen }): Permit => ({ side: "outbound", network, source: sandbox, alias, port, until: expiresAt, isFrozen: frozen === true })),
  ...inbound.map(({ network, source, alias, port, expiresAt = Infinity, frozen }): Permit => ({ side: "inbound", network, source, alias, port, until: expiresAt, isFrozen: frozen === true }))
]
