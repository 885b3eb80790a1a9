/**
 * The complete zone of sandboxes that are attached to the given networks: A and PTR for every alias, allowed or not (the
 * refusal comes at connect), the networks' own names and all empty non-terminals without types. Complete means that a
 * name that is not here does not exist, whatever other networks this agent serves.
 */
import { hostName, networkSuffix, suffix } from "../../domain/DnsLabel.ts"
import { reverseName } from "../../domain/VirtualAddress.ts"
import type { Topology, TopologyAlias } from "../../domain/Topology.ts"
import type { Zone } from "../../protocol/meshd/Messages.ts"
import { addressRecord, authorityRecord, nameServerRecord, pointerRecord, type } from "./records.ts"

type Names = Zone["names"]
type Mutable<A> = { -readonly [K in keyof A]: A[K] }

export const reverseOrigin = "127.in-addr.arpa"
const authority = { [suffix]: authorityRecord(suffix), [reverseOrigin]: authorityRecord(reverseOrigin) }
const apex = (origin: keyof typeof authority): Names[string] => ({ [type.SOA]: authority[origin]!, [type.NS]: nameServerRecord(origin) })
const origins: Zone["origins"] = { [suffix]: { soa: authority[suffix]!.rrs }, [reverseOrigin]: { soa: authority[reverseOrigin]!.rrs } }
const apexes: Names = { [suffix]: apex(suffix), [reverseOrigin]: apex(reverseOrigin) }

export const compileZone = (id: string, networks: ReadonlyArray<Topology>): Zone => {
  const names: Mutable<Names> = { ...apexes }
  for (const network of networks) {
    names[networkSuffix(network.name)] ??= {}
    for (const alias of network.aliases) {
      const { forward, reverse } = recordsOf(alias, network.name)
      names[hostName(alias.name, network.name)] = forward
      names[reverseName(alias.address)] = reverse
      for (const parent of reverseParents(alias.address)) names[parent] ??= {}
    }
  }
  return { id, origins, names }
}

/** `127.64.1.2` -> `1.64.127.in-addr.arpa` and `64.127.in-addr.arpa`. */
const reverseParents = (address: string): ReadonlyArray<string> => {
  const [, second, third] = address.split(".")
  return [`${third}.${second}.${reverseOrigin}`, `${second}.${reverseOrigin}`]
}

interface AliasRecords { readonly network: string; readonly forward: Names[string]; readonly reverse: Names[string] }
/** Encoding is what costs; an alias that a new topology version leaves alone keeps its object, and so its records. */
const encoded = new WeakMap<TopologyAlias, AliasRecords>()

const recordsOf = (alias: TopologyAlias, network: string): AliasRecords => {
  const known = encoded.get(alias)
  if (known?.network === network) return known
  const name = hostName(alias.name, network)
  const records = {
    network,
    forward: { [type.A]: addressRecord(name, alias.address) },
    reverse: { [type.PTR]: pointerRecord(alias.address, name) }
  }
  encoded.set(alias, records)
  return records
}
