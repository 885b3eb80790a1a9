/** Flows and refusals as rows of a table. */
import type { Flow, Refusal } from "../../../../domain/Flow.ts"
import type { Columns } from "../../../output/table.ts"

const time = (at: number): string => new Date(at).toISOString()

/** `850 us`, `12.3 ms`, `4.1 s`, `20 min`, `3 h`. */
export const span = (micros: number): string => {
  if (micros < 1000) return `${micros} us`
  if (micros < 1e6) return `${(micros / 1e3).toFixed(1)} ms`
  if (micros < 120e6) return `${(micros / 1e6).toFixed(1)} s`
  return micros < 7200e6 ? `${Math.round(micros / 60e6)} min` : `${Math.round(micros / 3600e6)} h`
}

/** `0 B`, `13.2 kB`, `4.1 GB`. */
export const size = (bytes: number): string => {
  const units = ["B", "kB", "MB", "GB", "TB"]
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3))
  return `${power === 0 ? bytes : (bytes / 1000 ** power).toFixed(1)} ${units[power]}`
}

const ends: Readonly<Record<NonNullable<Flow["end"]>, string>> = {
  eof: "complete", reset: "reset", revoked: "revoked", refused: "refused by target", unreachable: "target unreachable", limit: "over the limit", stopped: "meshd ended"
}
const endText = ({ by, end }: Flow): string => end === null ? "open" : by === null ? ends[end] : `${ends[end]} by ${by}`

export const flowColumns: Columns<Flow> = [
  ["OPENED", (f) => time(f.openedAt)], ["SOURCE", (f) => f.source], ["TARGET", (f) => `${f.alias}:${f.port}`], ["END", endText], ["LASTED", (f) => span(f.micros)],
  ["SENT", (f) => size(f.bytesToTarget)], ["RECEIVED", (f) => size(f.bytesToSource)], ["CONNECT", (f) => f.connectMicros && span(f.connectMicros)],
  ["FIRST BYTE", (f) => f.firstByteMicros && span(f.firstByteMicros)], ["PATH", (f) => f.path], ["RULE", (f) => f.rules.join(",")], ["ERROR", (f) => f.error]
]

/** Port 0: further ones, of which there are too many to list. */
export const refusalColumns: Columns<Refusal> = [
  ["LAST", (r) => time(r.lastAt)], ["SOURCE", (r) => r.source], ["TARGET", (r) => `${r.alias}:${r.port === 0 ? "others" : r.port}`], ["TIMES", (r) => r.count],
  ["SINCE", (r) => time(r.firstAt)], ["REFUSED BY", (r) => `${r.by}'s host`]
]
