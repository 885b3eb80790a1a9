/** `gstacks network policy replay dev -f new.yaml [--since 24h]`: what a policy file would have meant for the streams and refusals of the past. */
import { Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { changesNothing, type PolicyReplay, type WouldAllow, type WouldRefuse } from "../../../../domain/PolicyReplay.ts"
import { ControlApi } from "../../../ControlApi.ts"
import { ExitWith } from "../../../Failure.ts"
import { type Columns, table } from "../../../output/table.ts"
import { note, show } from "../../../output/view.ts"
import * as PolicyFile from "../../../PolicyFile.ts"
import { durationFlag, network } from "../../../words.ts"
import { noteGaps } from "../flows/noteGaps.ts"
import { exitCodeFlag, fileFlag } from "./apply.ts"

const time = (at: number): string => new Date(at).toISOString()

interface Row extends Pick<WouldRefuse, "source" | "alias" | "port" | "count" | "lastAt"> { readonly would: string; readonly rule: string }
const columns: Columns<Row> = [
  ["WOULD BE", ({ would }) => would], ["SOURCE", ({ source }) => source], ["TARGET", ({ alias, port }) => `${alias}:${port}`], ["COUNT", ({ count }) => count],
  ["LAST", ({ lastAt }) => time(lastAt)], ["RULE", ({ rule }) => rule]
]

const refusedRow = (group: WouldRefuse): Row => ({ ...group, would: "refused", rule: group.rules.join(",") })
const allowedRow = (group: WouldAllow): Row => ({ ...group, would: "allowed", rule: group.rules.map(({ from, to, ports }) => `${from} to ${to}:${ports}`).join(", ") })

const noteScope = Effect.fnUntraced(function*(found: PolicyReplay) {
  const { judged, left, oldestAt, since, unjudged } = found
  yield* note(`judged ${judged.flows} streams and ${judged.refusals} refused attempts since ${time(since)}${oldestAt === null ? "" : `, the oldest of ${time(oldestAt)}`}`)
  const unknown = unjudged.flows + unjudged.refusals
  if (unknown > 0) yield* note(`not judged: ${unjudged.flows} streams and ${unjudged.refusals} attempts whose source, alias or port is not in the network`)
  if (left.flows + left.refusals > 0) yield* note(`not looked at: up to ${left.flows} streams and ${left.refusals} attempts, since some agent has seen too many sources, aliases and ports; narrow with --since`)
  yield* noteGaps(found)
})

export const replay = Command.make("replay", {
  network, file: fileFlag, since: durationFlag("since", "How far back", "24h").pipe(Flag.optional), exitCode: exitCodeFlag
}, Effect.fn(function*({ network, file, since, exitCode }) {
  const api = yield* ControlApi
  const { policy, explain } = yield* PolicyFile.read(file, network)
  const payload = { policy, ...Option.match(since, { onNone: () => ({}), onSome: (withinMs) => ({ withinMs }) }) }
  const found = yield* Effect.mapError(api.call((client) => client.policy.replay({ params: { network }, payload })), explain)
  const rows = [...found.wouldRefuse.map(refusedRow), ...found.wouldAllow.map(allowedRow)]
  yield* show({ document: found, table: () => table(columns, rows), names: () => rows.map(({ would, source, alias, port }) => `${would} ${source} ${alias}:${port}`) })
  yield* noteScope(found)
  if (exitCode && !changesNothing(found)) return yield* new ExitWith({ code: 1 })
})).pipe(
  Command.withDescription("Show which recorded streams a policy file would have refused, and which refused attempts it would let through"),
  Command.withExamples([{ command: "gstacks network policy replay dev -f new.yaml --since 24h" }, { command: "gstacks network policy replay dev -f new.yaml --exit-code" }])
)
