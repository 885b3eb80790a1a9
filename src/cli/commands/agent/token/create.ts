/** `gstacks agent token create [<name>]`: a single-use enrolment token; the secret is shown once. */
import { Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { ControlApi } from "../../../ControlApi.ts"
import { parseDuration } from "../../../GlobalFlags.ts"
import { usage } from "../../../Failure.ts"
import { note, show } from "../../../output/view.ts"

export const create = Command.make("create", {
  name: Argument.String("name").pipe(Argument.withDescription("What it is for, like the host's name"), Argument.withDefault("agent")),
  ttl: Flag.String("ttl").pipe(Flag.withMetavar("<duration>"), Flag.withDescription("How long it may be used, like 30m or 3600s"), Flag.optional)
}, Effect.fn(function*({ name, ttl }) {
  const ms = Option.map(ttl, (text) => parseDuration(text) ?? 0)
  if (Option.isSome(ms) && ms.value < 1000) return yield* usage(`--ttl ${Option.getOrElse(ttl, () => "")} is no duration of at least a second`, "gstacks agent token create --ttl 30m")
  const api = yield* ControlApi
  const made = yield* api.call((client) =>
    client.tokens.create({ payload: { kind: "enrolment", name, ...Option.match(ms, { onNone: () => ({}), onSome: (ms) => ({ ttlSeconds: Math.floor(ms / 1000) }) }) } }))
  yield* show({ document: made, table: () => `${made.secret}\n`, names: () => [made.secret] })
  yield* note(`token ${made.token.id}: shown once, enrols one agent${made.token.expiresAt === null ? "" : `, until ${made.token.expiresAt}`}`)
  yield* note("next: on the host, GLOBALSTACKS_AGENT_ENROLMENT_TOKEN=<token> gstacks agent run")
})).pipe(
  Command.withDescription("Create a single-use token with which one agent enrols; shown once"),
  Command.withExamples([{ command: "gstacks agent token create host-3 --ttl 30m" }])
)
