/** Limits of streams: on an alias, over all of its sources, or on what one sandbox opens in a network. Both numbers can be missing, not both at once. */
import { Schema } from "effect"
import type { AliasMetrics } from "./AliasMetrics.ts"
import { AliasName, SandboxName } from "./DnsLabel.ts"

const bound = (what: string, most: number) => Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: most }, { message: `${what}, from 1 to ${most}` }))
export const MaxStreams = bound("streams at a time", 1_000_000)
export const MaxPerSecond = bound("new streams a second", 100_000)

/** `maxStreams` open at a time, `maxPerSecond` new ones in a second. */
export const LimitTerms = Schema.Struct({ maxStreams: Schema.optionalKey(MaxStreams), maxPerSecond: Schema.optionalKey(MaxPerSecond) })
export type LimitTerms = typeof LimitTerms.Type

/** As users see it: on an alias or on a sandbox, the other is null. */
export const Limit = Schema.Struct({
  alias: Schema.NullOr(AliasName), sandbox: Schema.NullOr(SandboxName), maxStreams: Schema.NullOr(Schema.Int), maxPerSecond: Schema.NullOr(Schema.Int)
})
export type Limit = typeof Limit.Type

/** How often a limit was met since the agents' start: the streams that were reset, in all and by whoever is at their other end, the most first. */
export interface Exceeded { readonly exceeded: number; readonly by: ReadonlyArray<{ readonly name: string; readonly count: number }> }

/** Of an alias by its sources, of a source by the aliases it wanted. A stream that met one limit counts for its alias and for its source. */
export const exceededOf = ({ alias, sandbox }: Limit, metrics: ReadonlyArray<Pick<AliasMetrics, "alias" | "limited">>): Exceeded => {
  const pairs = metrics.flatMap(({ alias: target, limited = {} }) => Object.entries(limited).map(([source, count]) => ({ source, target, count })))
  const by = alias === null
    ? pairs.filter(({ source }) => source === `sandbox:${sandbox}`).map(({ count, target }) => ({ name: target, count }))
    : pairs.filter(({ target }) => target === alias).map(({ count, source }) => ({ name: source, count }))
  return { exceeded: by.reduce((sum, { count }) => sum + count, 0), by: by.sort((a, b) => b.count - a.count) }
}
