/** A zone for meshd with one A record a name, its wire records made with dns-packet as the agent's are. */
import { encode, type Answer } from "dns-packet"
import type { Zone } from "../../src/protocol/meshd/Messages.ts"

const typeA = "1"
const ttl = 5

/** A message without a question is its header and the record. */
const headerBytes = 12
const record = (a: Answer): string => Buffer.from(encode({ type: "response", answers: [a] }).subarray(headerBytes)).toString("base64")

export const zoneOf = (
  id: string, origin: string, names: ReadonlyArray<{ readonly name: string; readonly address: string }>
): (typeof Zone)["Encoded"] => ({
  id,
  origins: {
    [origin]: {
      soa: record({ name: origin, type: "SOA", ttl, data: { mname: `ns.${origin}`, rname: `hostmaster.${origin}`, serial: 1, refresh: 60, retry: 60, expire: 60, minimum: ttl } })
    }
  },
  names: Object.fromEntries(names.map(({ address, name }) => [name, { [typeA]: { count: 1, rrs: record({ name, type: "A", ttl, data: address }) } }]))
})
