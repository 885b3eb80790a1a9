/**
 * What an answer depends on, taken from a query: exactly one question, nothing before the additional section, and there at
 * most an OPT and one other record (a TSIG, which is ignored). Anything else is a format error.
 */
import { type } from "./records.ts"
import { lowered, nameEnd, ownerEnd } from "./wire.ts"

export interface Question {
  /** Lower-case wire format. */
  readonly name: string
  readonly kind: number
  readonly class: number
  /** Where the question section ends, counted from the query's start. */
  readonly end: number
  readonly edns: Edns | undefined
}
export interface Edns { readonly size: number; readonly version: number; readonly flags: number }

export const headerBytes = 12

export const parseQuestion = (query: Buffer): Question | undefined => {
  const additional = query.readUInt16BE(10)
  if (query.readUInt16BE(4) !== 1 || query.readUInt16BE(6) !== 0 || query.readUInt16BE(8) !== 0 || additional > 2) return undefined
  const afterName = nameEnd(query, headerBytes)
  if (afterName === undefined || afterName + 4 > query.length) return undefined
  const edns = parseEdns(query, afterName + 4, additional)
  return edns === "malformed" ? undefined : {
    name: lowered(query.subarray(headerBytes, afterName)), end: afterName + 4, edns,
    kind: query.readUInt16BE(afterName), class: query.readUInt16BE(afterName + 2)
  }
}

const parseEdns = (query: Buffer, start: number, records: number): Edns | undefined | "malformed" => {
  let edns: Edns | undefined
  let at = start
  for (let i = 0; i < records; i++) {
    const fixed = ownerEnd(query, at)
    if (fixed === undefined || fixed + 10 > query.length) return "malformed"
    if (query.readUInt16BE(fixed) === type.OPT) {
      if (edns !== undefined || fixed !== at + 1) return "malformed" // a second one, or not the root's
      edns = { size: query.readUInt16BE(fixed + 2), version: query[fixed + 5]!, flags: query[fixed + 6]! }
    }
    at = fixed + 10 + query.readUInt16BE(fixed + 8)
    if (at > query.length) return "malformed"
  }
  return edns
}
