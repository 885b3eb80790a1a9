/**
 * Virtual addresses: one per alias in 127.64.0.0/10, unique over all networks. The first choice is a hash of the host
 * name, so the same name tends to get the same address; collisions probe upwards. 127.64.0.0/24 is reserved
 * (127.64.0.53 is the resolver). Who holds an address is the control plane's to persist; this file only computes.
 */
import { Schema } from "effect"

export const VirtualAddress = Schema.String.check(
  Schema.isPattern(/^127\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.(25[0-5]|2[0-4]\d|1?\d?\d)\.(25[0-5]|2[0-4]\d|1?\d?\d)$/, { message: "an address in 127.64.0.0/10" })
).pipe(Schema.brand("VirtualAddress"))
export type VirtualAddress = typeof VirtualAddress.Type

export const resolverAddress = "127.64.0.53"

const size = 2 ** 22
const reserved = 256

const fromIndex = (index: number): VirtualAddress =>
  VirtualAddress.make(`127.${64 + (index >>> 16)}.${(index >>> 8) & 255}.${index & 255}`)

/** FNV-1a, 32 bits. */
const hash = (text: string): number => {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193) >>> 0
  return h
}

/** The candidates for a host name in the order in which they are to be tried; ends after every address was offered once. */
export function* candidates(hostName: string): Generator<VirtualAddress> {
  const usable = size - reserved
  const first = hash(hostName) % usable
  for (let i = 0; i < usable; i++) yield fromIndex(reserved + ((first + i) % usable))
}

/** The PTR owner name of an address: `127.64.1.2` -> `2.1.64.127.in-addr.arpa`. */
export const reverseName = (address: string): string => `${address.split(".").reverse().join(".")}.in-addr.arpa`
