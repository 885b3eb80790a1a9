/** Metrics of aliases as OpenMetrics 1.0 text, for Prometheus and its kin; times in seconds, as is the custom there. */
import { type AliasMetrics, bounds, countOf, ends, type Histogram } from "../AliasMetrics.ts"
import type { NetworkId } from "../Ids.ts"

export const contentType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\"", "\\\"").replaceAll("\n", "\\n")
const labels = (pairs: Readonly<Record<string, string>>): string => `{${Object.entries(pairs).map(([name, value]) => `${name}="${escaped(value)}"`).join(",")}}`

interface Family { readonly name: string; readonly type: "counter" | "gauge" | "histogram"; readonly unit?: string; readonly help: string }
type Labels = Readonly<Record<string, string>>

const family = ({ help, name, type, unit }: Family, samples: ReadonlyArray<string>): string =>
  [`# TYPE ${name} ${type}`, ...unit === undefined ? [] : [`# UNIT ${name} ${unit}`], `# HELP ${name} ${help}`, ...samples].map((line) => `${line}\n`).join("")

const histogram = (name: string, of: Labels, values: Histogram): ReadonlyArray<string> => {
  let seen = 0
  return [
    ...[...bounds, Infinity].map((bound, i) => `${name}_bucket${labels({ ...of, le: bound === Infinity ? "+Inf" : String(bound / 1e6) })} ${seen += values.buckets[i] ?? 0}`),
    `${name}_count${labels(of)} ${countOf(values)}`, `${name}_sum${labels(of)} ${values.sumMicros / 1e6}`
  ]
}

/** Of an agent that is connected to the control plane: `connection`: so much was wrong that it was closed; `call`: not understood; `answer`: to what was not asked; `record`: of streams that are not its own. */
export type RefusalKind = "connection" | "call" | "answer" | "record"
export interface RefusedMessages { readonly agent: string; readonly kind: RefusalKind; readonly count: number }

/** `names`: of the networks; one without is called by its id. */
export const openMetrics = (metrics: ReadonlyArray<AliasMetrics>, names: ReadonlyMap<NetworkId, string>, refused: ReadonlyArray<RefusedMessages> = []): string => {
  const aliases = metrics.map((alias) => ({ ...alias, of: { network: names.get(alias.networkId) ?? alias.networkId, alias: alias.alias } }))
  return [
    family({ name: "gstacks_streams", type: "counter", help: "Streams to the alias that have ended, by how." }, aliases.flatMap(({ of, streams }) =>
      ends.filter((end) => streams[end] > 0).map((end) => `gstacks_streams_total${labels({ ...of, end })} ${streams[end]}`))),
    family({ name: "gstacks_opened_streams", type: "counter", help: "Streams that reached the alias's target." }, aliases.map(({ of, opened = 0 }) => `gstacks_opened_streams_total${labels(of)} ${opened}`)),
    family({ name: "gstacks_open_streams", type: "gauge", help: "Streams to the alias that are open." }, aliases.map(({ of, open = 0 }) => `gstacks_open_streams${labels(of)} ${open}`)),
    family({ name: "gstacks_limited_streams", type: "counter", help: "Streams to the alias that a limit reset, by source." }, aliases.flatMap(({ limited = {}, of }) =>
      Object.entries(limited).map(([source, count]) => `gstacks_limited_streams_total${labels({ ...of, source })} ${count}`))),
    family({ name: "gstacks_refusals", type: "counter", help: "Attempts to reach the alias that were refused." }, aliases.map(({ of, refusals }) => `gstacks_refusals_total${labels(of)} ${refusals}`)),
    family({ name: "gstacks_stream_bytes", type: "counter", unit: "bytes", help: "Bytes of streams, also of those that are open." }, aliases.flatMap(({ of, bytesToSource, bytesToTarget }) => [
      `gstacks_stream_bytes_total${labels({ ...of, to: "target" })} ${bytesToTarget}`, `gstacks_stream_bytes_total${labels({ ...of, to: "source" })} ${bytesToSource}`
    ])),
    family({ name: "gstacks_connect_seconds", type: "histogram", unit: "seconds", help: "Time until the target was reached." }, aliases.flatMap(({ of, connect }) => histogram("gstacks_connect_seconds", of, connect))),
    family({ name: "gstacks_first_byte_seconds", type: "histogram", unit: "seconds", help: "Time until the target's first byte." }, aliases.flatMap(({ of, firstByte }) => histogram("gstacks_first_byte_seconds", of, firstByte))),
    ...refused.length === 0 ? [] : [family({ name: "gstacks_refused_messages", type: "counter", help: "Messages of agents that the control plane refused, by kind." }, refused.map(({ agent, count, kind }) =>
      `gstacks_refused_messages_total${labels({ agent, kind })} ${count}`))],
    "# EOF\n"
  ].join("")
}
