/** On what a limit is: `--alias api` or `--source sandbox:web`. */
import { Effect, Option } from "effect"
import { Flag } from "effect/cli"
import type { AliasName } from "../../../../domain/DnsLabel.ts"
import type { Limit } from "../../../../domain/Limit.ts"
import { usage } from "../../../Failure.ts"
import { aliasFlag } from "../../../words.ts"

export const onFlags = {
  alias: aliasFlag("alias", "Limit all streams to this alias, together").pipe(Flag.optional),
  source: Flag.String("source").pipe(Flag.withMetavar("<sandbox>"), Flag.withDescription("Limit what this sandbox opens in the network; name or id, also as sandbox:web"), Flag.optional)
}

export const on = ({ alias, source }: { readonly alias: Option.Option<AliasName>; readonly source: Option.Option<string> }) =>
  Option.isSome(alias) === Option.isSome(source)
    ? Effect.fail(usage("a limit is on an alias or on a source", "give one of --alias and --source"))
    : Effect.succeed(Option.match(alias, {
      onSome: (alias): { readonly alias?: AliasName; readonly sandbox?: string } => ({ alias }),
      onNone: () => ({ sandbox: Option.getOrThrow(source).replace(/^sandbox:/, "") })
    }))

export const nameOf = ({ alias, sandbox }: Limit): string => alias === null ? `source sandbox:${sandbox}` : `alias ${alias}`

export const termsText = ({ maxPerSecond, maxStreams }: Limit): string =>
  [maxStreams === null ? [] : `${maxStreams} streams at a time`, maxPerSecond === null ? [] : `${maxPerSecond} new ones a second`].flat().join(", ")
