/**
 * The streams that meshd reset because a new version of a network took their permits away, until the control plane has acknowledged
 * the answer that tells of them. What was reset for a reason of this host's own (a sandbox that ended) is no part of any version.
 */
import type { NetworkId } from "../../domain/Ids.ts"
import { mostNamedStreams } from "../../domain/Receipt.ts"
import type { Applied, Closed, Plan } from "../../protocol/meshd/Messages.ts"

/** `lastAt`: when the last one ended, in nanoseconds of this process's clock. */
export interface ClosedHere { readonly asSource: ReadonlyArray<string>; readonly asTarget: ReadonlyArray<string>; readonly lastAt: bigint }

/** What the answer is to: a version of the network, or that it is dropped. */
export type Asked = number | "drop"

/** An answer that may have been lost is remembered for this many networks, those that answered last. */
const mostTold = 256

export class ClosedStreams {
  readonly #untold = new Map<NetworkId, ClosedHere>()
  readonly #told = new Map<NetworkId, { readonly asked: Asked; readonly closed: ClosedHere }>()

  /** What an apply of `plan` did, answered at `now`. */
  note({ closed, micros }: Applied, plan: Plan, now: bigint): void {
    for (const { network, before, outbound, inbound, lastMicros } of closed) {
      if (versionIn(plan, network) === before) continue
      const here = { asSource: first([], outbound), asTarget: first([], inbound), lastAt: now - BigInt(Math.max(0, micros - lastMicros)) * 1000n }
      this.#untold.set(network, together(this.#untold.get(network), here)!)
    }
  }

  /**
   * What the answer to `asked` says: with what was said before, in an answer that the control plane has not acknowledged. One that does
   * not say what it has acknowledged has had the answers to whatever it asked earlier.
   */
  tell(network: NetworkId, asked: Asked, acknowledged = asked === "drop" ? Infinity : asked - 1): ClosedHere | undefined {
    const told = this.#told.get(network)
    const lost = told !== undefined && (told.asked === "drop" ? asked === "drop" : told.asked > acknowledged) ? told.closed : undefined
    const closed = together(lost, this.#untold.get(network))
    this.#untold.delete(network)
    this.#told.delete(network)
    if (closed !== undefined) this.#told.set(network, { asked, closed })
    if (this.#told.size > mostTold) this.#told.delete(this.#told.keys().next().value!)
    return closed
  }
}

const together = (before: ClosedHere | undefined, after: ClosedHere | undefined): ClosedHere | undefined => before === undefined || after === undefined ? before ?? after : {
  asSource: first(before.asSource, after.asSource), asTarget: first(before.asTarget, after.asTarget), lastAt: after.lastAt
}
const first = (before: ReadonlyArray<string>, more: ReadonlyArray<string>): ReadonlyArray<string> => [...before, ...more].slice(0, mostNamedStreams)

/** As meshd counts: none is 0. */
const versionIn = (plan: Plan, network: Closed["network"]): number => plan.networks.find(({ id }) => id === network)?.topologyVersion ?? 0
