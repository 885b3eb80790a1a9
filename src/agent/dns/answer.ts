/**
 * Answers of the host listener, byte for byte what meshd answers inside sandboxes: a pure function of zone and query. A
 * name and type of the zone: NOERROR; a name of the zone: no data, with the origin's SOA; under an origin: NXDOMAIN with
 * SOA; elsewhere: REFUSED. Nothing is ever forwarded.
 */
import type { Zone } from "../../protocol/meshd/Messages.ts"
import { headerBytes, parseQuestion, type Question } from "./question.ts"
import { ttl, type } from "./records.ts"
import { wireName } from "./wire.ts"

/** The largest answer over UDP, whatever a client allows; it never needs fragments (DNS flag day 2020). */
const largestUdp = 1232
const plainUdp = 512
const bit = { response: 0x80, opcode: 0x78, authoritative: 0x04, truncated: 0x02, recursion: 0x01 } as const
const code = { noError: 0, formatError: 1, nxDomain: 3, notImplemented: 4, refused: 5, badVersion: 16 } as const
const internet = 1
const axfr = 252, ixfr = 251

interface Found { readonly code: number; readonly section: "answer" | "authority" | "none"; readonly count: number; readonly records: Buffer }
interface Origin { readonly soa: Buffer; readonly apex: boolean }

/** A zone made ready for lookups. */
export interface ReadyZone {
  readonly origins: ReadonlyMap<string, Buffer>
  readonly names: ReadonlyMap<string, ReadonlyMap<number, { readonly count: number; readonly records: Buffer }>>
}

export const readyZone = (zone: Zone): ReadyZone => ({
  origins: new Map(Object.entries(zone.origins).map(([name, { soa }]) => [wireName(name), Buffer.from(soa, "base64")])),
  names: new Map(Object.entries(zone.names).map(([name, types]) => [wireName(name), new Map(Object.entries(types).map(([number, { count, rrs }]) =>
    [Number(number), { count, records: Buffer.from(rrs, "base64") }]))]))
})

/** The answer, or undefined when there should be none (not a query, or too short to be one). `udp` limits the size to what the client takes. */
export const answer = (zone: ReadyZone, query: Buffer, udp: boolean): Buffer | undefined => {
  if (query.length < headerBytes || (query[2]! & bit.response) !== 0) return undefined
  if ((query[2]! & bit.opcode) !== 0) return headerOnly(query, code.notImplemented)
  const question = parseQuestion(query)
  if (question === undefined) return headerOnly(query, code.formatError)
  return respond(query, question, find(zone, question), udp)
}

const none = Buffer.alloc(0)

const find = (zone: ReadyZone, question: Question): Found => {
  if (question.edns !== undefined && question.edns.version !== 0) return { code: code.badVersion, section: "none", count: 0, records: none }
  const origin = originOf(zone, question.name)
  if (question.class !== internet || question.kind === axfr || question.kind === ixfr || origin === undefined) {
    return { code: code.refused, section: "none", count: 0, records: none }
  }
  const types = zone.names.get(question.name)
  if (question.kind === type.ANY && (origin.apex || (types !== undefined && types.size > 0))) return { code: code.noError, section: "answer", count: 1, records: minimalAny }
  const records = types?.get(question.kind)
  if (records !== undefined) return { code: code.noError, section: "answer", ...records }
  if (origin.apex && question.kind === type.SOA) return { code: code.noError, section: "answer", count: 1, records: origin.soa }
  return { code: types !== undefined || origin.apex ? code.noError : code.nxDomain, section: "authority", count: 1, records: origin.soa }
}

/** The closest origin at or above a name. */
const originOf = (zone: ReadyZone, name: string): Origin | undefined => {
  for (let at = 0; at < name.length; at += 1 + name.charCodeAt(at)) {
    const soa = zone.origins.get(name.slice(at))
    if (soa !== undefined) return { soa, apex: at === 0 }
  }
  return undefined
}

/** RFC 8482: the answer to ANY is one HINFO, owned by the name in the question. */
const minimalAny = Buffer.concat([Buffer.from([0xc0, headerBytes, 0, type.HINFO, 0, internet, 0, 0, 0, ttl, 0, 9, 7]), Buffer.from("RFC8482\0", "latin1")])

const respond = (query: Buffer, question: Question, found: Found, udp: boolean): Buffer => {
  const { edns } = question
  const limit = edns === undefined ? plainUdp : Math.min(Math.max(edns.size, plainUdp), largestUdp)
  const opt = edns === undefined ? none : optRecord(found.code, edns.flags)
  const truncated = udp && question.end + found.records.length + opt.length > limit
  const header = Buffer.from(query.subarray(0, question.end))
  const authoritative = found.section === "none" ? 0 : bit.authoritative
  header[2] = bit.response | authoritative | (truncated ? bit.truncated : 0) | (query[2]! & bit.recursion)
  header[3] = found.code & 0x0f
  header.fill(0, 6, headerBytes)
  if (!truncated && found.section === "answer") header.writeUInt16BE(found.count, 6)
  if (!truncated && found.section === "authority") header.writeUInt16BE(found.count, 8)
  if (edns !== undefined) header[11] = 1
  return Buffer.concat([header, truncated ? none : found.records, opt])
}

/** Advertises our UDP size, carries the upper bits of the code, and echoes DO. */
const optRecord = (responseCode: number, flags: number): Buffer =>
  Buffer.from([0, 0, type.OPT, largestUdp >> 8, largestUdp & 0xff, responseCode >> 4, 0, flags & 0x80, 0, 0, 0])

const headerOnly = (query: Buffer, responseCode: number): Buffer => {
  const header = Buffer.alloc(headerBytes)
  query.copy(header, 0, 0, 2)
  header[2] = bit.response | (query[2]! & (bit.opcode | bit.recursion))
  header[3] = responseCode
  return header
}
