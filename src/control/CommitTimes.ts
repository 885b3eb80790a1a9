/** When the recent versions of each network were committed and first applied by each agent: what a receipt's elapsed time is made of. */
import type { AgentId, NetworkId } from "../domain/Ids.ts"

const keptVersions = 64
/** Those that changed last. */
const keptNetworks = 1024

interface Version { readonly committedAt: number; readonly appliedAt: Map<AgentId, number> }

export class CommitTimes {
  private readonly networks = new Map<NetworkId, Map<number, Version>>()

  committed(network: NetworkId, version: number, at: number): void {
    const versions = this.networks.get(network) ?? new Map<number, Version>()
    this.networks.delete(network)
    this.networks.set(network, versions)
    versions.set(version, { committedAt: at, appliedAt: new Map() })
    dropOldest(versions, keptVersions)
    dropOldest(this.networks, keptNetworks)
  }

  /** Having applied a version, an agent has applied the earlier ones too. */
  applied(network: NetworkId, version: number, agent: AgentId, at: number): void {
    for (const [number, entry] of this.networks.get(network) ?? []) {
      if (number <= version && !entry.appliedAt.has(agent)) entry.appliedAt.set(agent, at)
    }
  }

  committedAt(network: NetworkId, version: number): number | null {
    return this.networks.get(network)?.get(version)?.committedAt ?? null
  }

  /** From the commit to the last agent's first acknowledgement of `until`; `null` when either was not seen by this process. */
  elapsedMs(network: NetworkId, version: number, until = version): number | null {
    const versions = this.networks.get(network)
    const committed = versions?.get(version), applied = versions?.get(until)
    if (committed === undefined || applied === undefined || applied.appliedAt.size === 0) return null
    return Math.max(0, Math.max(...applied.appliedAt.values()) - committed.committedAt) // clocks may be set back
  }
}

/** A map's keys come in the order in which they were set. */
const dropOldest = (entries: Map<unknown, unknown>, limit: number): void => {
  for (const key of entries.keys()) {
    if (entries.size <= limit) return
    entries.delete(key)
  }
}
