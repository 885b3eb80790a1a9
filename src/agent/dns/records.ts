/**
 * Wire resource records, made with dns-packet and base64 as meshd takes them. Owner names are not compressed, so a record
 * can be appended to any answer. The types and lifetimes that the product promises are here and nowhere else.
 */
import { encode } from "dns-packet"
import type { Answer } from "dns-packet"
import type { Records } from "../../protocol/meshd/Messages.ts"
import { reverseName } from "../../domain/VirtualAddress.ts"

export const ttl = 5
export const negativeTtl = 5
export const type = { A: 1, NS: 2, SOA: 6, PTR: 12, HINFO: 13, AAAA: 28, OPT: 41, ANY: 255 } as const

type WireRecords = typeof Records.Type
const headerBytes = 12
const wire = (answer: Answer): Buffer => encode({ type: "response", answers: [answer] }).subarray(headerBytes)
const one = (answer: Answer): WireRecords => ({ count: 1, rrs: wire(answer).toString("base64") })

export const addressRecord = (name: string, address: string): WireRecords => one({ type: "A", name, ttl, data: address })
export const pointerRecord = (address: string, name: string): WireRecords => one({ type: "PTR", name: reverseName(address), ttl, data: name })

/** The zone's start of authority: it lends negative answers their lifetime. Names as RFC 6303 gives them to locally served zones. */
export const authorityRecord = (origin: string): WireRecords => one({
  type: "SOA", name: origin, ttl: negativeTtl,
  data: { mname: origin, rname: "nobody.invalid", serial: 1, refresh: 3600, retry: 1200, expire: 604_800, minimum: negativeTtl }
})
export const nameServerRecord = (origin: string): WireRecords => one({ type: "NS", name: origin, ttl, data: origin })
