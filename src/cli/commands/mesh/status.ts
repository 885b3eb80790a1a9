/** `gstacks mesh status [--watch]`: what is joined from this machine, the way to each agent, the forwards, the commands that see a network, and what is published. */
import { Clock, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import type { AgentPath, CommandStatus, ForwardStatus, JoinStatus, MeshStatus, PublicationStatus } from "../../../protocol/local/MeshRpcs.ts"
import { format } from "../../GlobalFlags.ts"
import { LocalDaemon } from "../../LocalDaemon.ts"
import { type Columns, table } from "../../output/table.ts"
import { note, show } from "../../output/view.ts"
import { clear, fitting } from "../../output/screen.ts"
import { Shell } from "../../Shell.ts"

const joinColumns: Columns<JoinStatus> = [
  ["NETWORK", (j) => j.network], ["STATE", (j) => j.state], ["AS", (j) => j.user === null ? null : `local:${j.user}`], ["NODE", (j) => j.address],
  ["SINCE", (j) => j.since], ["EXPIRES", (j) => j.expiresAt], ["TOPOLOGY", (j) => j.version === null ? null : `v${j.version}`], ["REASON", (j) => j.reason], ["NEXT", (j) => j.next]
]
type Way = typeof AgentPath.Type & { readonly network: string }
const wayColumns: Columns<Way> = [
  ["NETWORK", (w) => w.network], ["AGENT", (w) => w.agent], ["ADDRESS", (w) => w.address], ["PATH", (w) => w.path],
  ["ROUND TRIP", (w) => w.rttMicros === null ? null : `${(w.rttMicros / 1000).toFixed(1)} ms`]
]
const forwardColumns: Columns<ForwardStatus> = [
  ["FORWARD", (f) => f.id], ["LOCAL", (f) => f.listen], ["TO", (f) => `${f.alias}.${f.network}.gstacks:${f.port}`], ["STATE", (f) => f.state],
  ["OPEN", (f) => f.open], ["WAITING", (f) => f.waiting], ["TOTAL", (f) => f.total], ["REFUSED", (f) => f.guard === null ? null : f.refused], ["SENT", (f) => f.bytesToTarget], ["RECEIVED", (f) => f.bytesToSource], ["REASON", (f) => f.reason]
]

const publishedColumns: Columns<PublicationStatus> = [
  ["PUBLISHED", (p) => `${p.alias}.${p.network}.gstacks:${p.port}`], ["LOCAL", (p) => `127.0.0.1:${p.local}`], ["STATE", (p) => p.state], ["OPEN", (p) => p.open],
  ["EXPIRES", (p) => p.expiresAt], ["RULES", (p) => p.rules.length], ["REASON", (p) => p.reason]
]

const commandColumns: Columns<CommandStatus> = [
  ["COMMAND", (c) => c.program], ["NETWORK", (c) => c.network], ["PID", (c) => c.pid], ["SINCE", (c) => c.since], ["STATE", (c) => c.state], ["REASON", (c) => c.reason]
]

const page = ({ networks, forwards, commands, published }: MeshStatus): string => {
  const ways = networks.flatMap(({ agents, network }) => agents.map((agent): Way => ({ ...agent, network })))
  const parts = [
    [ways.length, () => table(wayColumns, ways)], [forwards.length, () => table(forwardColumns, forwards)], [commands.length, () => table(commandColumns, commands)],
    [published.length, () => table(publishedColumns, published)]
  ] as const
  return [table(joinColumns, networks), ...parts.filter(([length]) => length > 0).map(([, draw]) => draw())].join("\n")
}

const nothing: MeshStatus = { pid: 0, version: "", since: "", networks: [], forwards: [], commands: [], published: [] }

const look = Effect.scoped(Effect.gen(function*() {
  const daemon = yield* (yield* LocalDaemon).running
  return daemon === undefined ? undefined : yield* daemon.status
}))

const once = Effect.gen(function*() {
  const status = yield* look
  if ((status === undefined || status.networks.length === 0) && (yield* format) === "table") {
    yield* note("this machine has joined no network")
    return yield* note("next: gstacks mesh join <network>")
  }
  const seen = status ?? nothing
  yield* show({ document: { pid: status?.pid ?? null, networks: seen.networks, forwards: seen.forwards, commands: seen.commands, published: seen.published }, table: () => page(seen), names: () => seen.networks.map(({ network }) => network) })
})

const redrawMs = 1_000

const watch = Effect.gen(function*() {
  const { out, screen } = yield* Shell
  const asText = (yield* format) === "table"
  if (asText && screen !== null) yield* out(clear)
  for (let before = ""; ;) {
    const status = (yield* look) ?? nothing
    const text = asText ? page(status) : `${JSON.stringify({ at: yield* Clock.currentTimeMillis, networks: status.networks, forwards: status.forwards, commands: status.commands, published: status.published })}\n`
    if (asText && screen !== null) yield* out(fitting(text, yield* screen))
    else if (text !== before) yield* out(text)
    before = text
    yield* Effect.sleep(redrawMs)
  }
})

export const status = Command.make("status", {
  watch: Flag.Boolean("watch").pipe(Flag.withAlias("w"), Flag.withDescription("Go on: draw it again each second, or with other formats a document whenever it changed"), Flag.withoutNegation, Flag.withDefault(false))
}, Effect.fn(function*({ watch: goesOn }) {
  yield* goesOn ? watch : once
})).pipe(
  Command.withDescription("Show what this machine has joined, the way to each agent, the forwards, the commands, and what it publishes"),
  Command.withExamples([{ command: "gstacks mesh status" }, { command: "gstacks mesh status --watch" }])
)
