/** `gstacks network policy allow dev --from local --to api --port 8080 [--for 2h] [--comment <text>]` */
import { Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { selectorForms } from "../../../../domain/Selector.ts"
import { showChange } from "../../../Changes.ts"
import { ControlApi } from "../../../ControlApi.ts"
import { aliasFlag, durationFlag, network, portRangeFlag, selectorFlag } from "../../../words.ts"
import { dryRun, dryRunFlag } from "./dryRun.ts"

export const allow = Command.make("allow", {
  network,
  from: selectorFlag("from", `Source: ${selectorForms}`),
  to: aliasFlag("to", "Alias that may be reached"),
  ports: portRangeFlag,
  lasting: durationFlag("for", "How long the rule lasts", "until revoked").pipe(Flag.optional),
  comment: Flag.String("comment").pipe(Flag.withMetavar("<text>"), Flag.withDescription("Why, for whoever reads the list"), Flag.optional),
  dry: dryRunFlag
}, Effect.fn(function*({ network, from, to, ports, lasting, comment, dry }) {
  const api = yield* ControlApi
  const payload = {
    from, to, port: ports.first, lastPort: ports.last,
    ...Option.match(lasting, { onNone: () => ({}), onSome: (ms) => ({ forSeconds: Math.ceil(ms / 1000) }) }),
    ...Option.match(comment, { onNone: () => ({}), onSome: (text) => ({ comment: text }) })
  }
  if (dry) return yield* dryRun(network, { _tag: "Allow", ...payload })
  const { value, change } = yield* api.call((client) => client.networks.allow({ params: { network }, payload }))
  const until = value.expiresAt === null ? "" : ` until ${value.expiresAt}`
  yield* showChange({ value, changes: [change], name: value.id, said: `rule ${value.id}: ${value.from} may reach ${value.to}:${value.ports} in ${change.network}${until}` })
})).pipe(
  Command.withDescription("Let a source reach ports of an alias"),
  Command.withExamples([
    { command: "gstacks network policy allow dev --from sandbox:web --to api --port 8080" },
    { command: "gstacks network policy allow dev --from label:team=blue --to postgres --port 5432 --for 2h --comment \"migration\"" },
    { command: "gstacks network policy allow dev --from any --to api --port 8000-8100" }
  ])
)
