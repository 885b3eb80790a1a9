/** `gstacks network policy apply dev -f policy.yaml [--dry-run] [--if-version 42]` and `policy diff`: a network's rules from a file. */
import { Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { isEmpty } from "../../../../domain/PolicyDiff.ts"
import type { PolicyChange } from "../../../../domain/PolicyFile.ts"
import { showChange } from "../../../Changes.ts"
import { ControlApi } from "../../../ControlApi.ts"
import { ExitWith } from "../../../Failure.ts"
import { note } from "../../../output/view.ts"
import * as PolicyFile from "../../../PolicyFile.ts"
import { network, versionFlag } from "../../../words.ts"
import { dryRunFlag, showDiff } from "./dryRun.ts"

export const fileFlag = Flag.String("file").pipe(Flag.withAlias("f"), Flag.withMetavar("<file>"), Flag.withDescription("Policy file, YAML or JSON; - is standard input"))
const ifVersion = versionFlag("if-version", "Only if the network is still at this topology version").pipe(Flag.optional)

const saidOf = ({ added, removed, changed, unchanged }: PolicyChange): string =>
  `${added.length} ${added.length === 1 ? "rule" : "rules"} added, ${removed.length} removed, ${changed.length} changed, ${unchanged} unchanged`

/** What the file would do, asked with the file at hand for its lines. */
const diffOf = Effect.fnUntraced(function*(network: string, { policy, explain }: PolicyFile.ReadPolicy, version: Option.Option<number>) {
  const api = yield* ControlApi
  const payload = { _tag: "Apply" as const, policy, ...Option.match(version, { onNone: () => ({}), onSome: (ifVersion) => ({ ifVersion }) }) }
  return yield* Effect.mapError(api.call((client) => client.policy.diff({ params: { network }, payload })), explain)
})

export const apply = Command.make("apply", { network, file: fileFlag, dryRun: dryRunFlag, ifVersion }, Effect.fn(function*({ network, file, dryRun, ifVersion }) {
  const api = yield* ControlApi
  const read = yield* PolicyFile.read(file, network)
  if (dryRun) {
    yield* showDiff(yield* diffOf(network, read, ifVersion))
    return yield* note("dry run: nothing was changed")
  }
  const headers = Option.match(ifVersion, { onNone: () => ({}), onSome: (version) => ({ "if-match": `"${version}"` }) })
  const { value, change } = yield* Effect.mapError(api.call((client) => client.policy.apply({ params: { network }, payload: read.policy, headers })), read.explain)
  yield* showChange({ value, changes: [change], name: change.network, said: `policy of ${change.network} applied: ${saidOf(value)}` })
  if (value.over > 0) yield* note(`left out, since their time is over: ${value.over} of the file's rules`)
})).pipe(
  Command.withDescription("Make a network's rules those of a file: what lacks is added, what the file does not hold is removed"),
  Command.withExamples([{ command: "gstacks network policy apply dev -f policy.yaml" }, { command: "gstacks network policy apply dev -f policy.yaml --if-version 42" }])
)

export const exitCodeFlag = Flag.Boolean("exit-code").pipe(Flag.withDescription("Exit with 1 when there are differences"), Flag.withoutNegation, Flag.withDefault(false))

export const diff = Command.make("diff", { network, file: fileFlag, exitCode: exitCodeFlag }, Effect.fn(function*({ network, file, exitCode }) {
  const found = yield* diffOf(network, yield* PolicyFile.read(file, network), Option.none())
  yield* showDiff(found)
  if (exitCode && !isEmpty(found)) return yield* new ExitWith({ code: 1 })
})).pipe(
  Command.withDescription("Show which rules and pairs of source and target a policy file would change, and which open connections it would reset"),
  Command.withExamples([{ command: "gstacks network policy diff dev -f policy.yaml" }, { command: "gstacks network policy diff dev -f policy.yaml --exit-code" }])
)
