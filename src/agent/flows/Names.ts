/** Names for the ids that meshd tells: of what is there, and of what was there a while ago, since a stream can outlive what it was made for. */
import type { AliasId, NetworkId, SandboxId } from "../../domain/Ids.ts"
import type { Topology } from "../../domain/Topology.ts"

export interface Target { readonly networkId: NetworkId; readonly aliasId: AliasId; readonly alias: string; readonly address: string; readonly sandboxId: SandboxId | undefined }

/** Each kind; the oldest goes when there are more. */
const most = 20_000

class Remembered<K, V> {
  readonly #items = new Map<K, V>()
  get(key: K): V | undefined { return this.#items.get(key) }
  set(key: K, value: V): void {
    this.#items.delete(key)
    this.#items.set(key, value)
    if (this.#items.size > most) for (const oldest of this.#items.keys()) { this.#items.delete(oldest); break }
  }
}

export class Names {
  readonly #seen = new Map<NetworkId, Topology>()
  readonly #aliases = new Remembered<string, Target>()
  readonly #addresses = new Remembered<string, Target>()
  readonly #sandboxes = new Remembered<string, string>()
  readonly #sources = new Remembered<string, string>()

  /** Of a topology that has not changed since nothing is read. */
  learn(topologies: ReadonlyMap<NetworkId, Topology>): void {
    for (const [id, topology] of topologies) {
      const before = this.#seen.get(id)
      if (before === topology) continue
      this.#seen.set(id, topology)
      if (before?.members !== topology.members) for (const { id, name } of topology.members) { this.#sandboxes.set(id, name); this.#sources.set(id, `sandbox:${name}`) }
      if (before?.aliases !== topology.aliases) for (const alias of topology.aliases) {
        const target = { networkId: id, aliasId: alias.id, alias: alias.name, address: alias.address, sandboxId: alias.sandboxId }
        this.#aliases.set(alias.id, target)
        this.#addresses.set(alias.address, target)
      }
      if (before?.localNodes !== topology.localNodes) for (const node of topology.localNodes) for (const key of [node.id, node.nodeId]) this.#sources.set(key, `local:${node.user}`)
    }
    for (const id of this.#seen.keys()) if (!topologies.has(id)) this.#seen.delete(id)
  }

  /** Whether there is nothing to learn. */
  know(topologies: ReadonlyMap<NetworkId, Topology>): boolean {
    return topologies.size === this.#seen.size && [...topologies].every(([id, topology]) => this.#seen.get(id) === topology)
  }

  alias(id: string): Target | undefined { return this.#aliases.get(id) }
  /** Whose virtual address it is, or was. */
  holder(address: string): Target | undefined { return this.#addresses.get(address) }
  /** As a rule names it; of a machine also by its mesh node. */
  source(id: string): string { return this.#sources.get(id) ?? id }
  sandbox(id: string): string { return this.#sandboxes.get(id) ?? id }
}
