/**
 * Identifiers: a prefix that names the kind, then 18 lower-case base-32 digits that sort by time of creation
 * (50 bits of milliseconds, 40 random bits). Ids are generated, never chosen and never reused.
 */
import { Clock, Effect, Schema } from "effect"

const id = (prefix: string) =>
  Schema.String.check(Schema.isPattern(new RegExp(`^${prefix}_[0-9a-hjkmnp-tv-z]{18}$`), { message: `an id like ${prefix}_...` }))

export const NetworkId = id("net").pipe(Schema.brand("NetworkId"))
export type NetworkId = typeof NetworkId.Type
export const SandboxId = id("sbx").pipe(Schema.brand("SandboxId"))
export type SandboxId = typeof SandboxId.Type
export const AliasId = id("als").pipe(Schema.brand("AliasId"))
export type AliasId = typeof AliasId.Type
export const RuleId = id("rul").pipe(Schema.brand("RuleId"))
export type RuleId = typeof RuleId.Type
export const AgentId = id("agt").pipe(Schema.brand("AgentId"))
export type AgentId = typeof AgentId.Type
export const TokenId = id("tok").pipe(Schema.brand("TokenId"))
export type TokenId = typeof TokenId.Type
export const RunId = id("run").pipe(Schema.brand("RunId"))
export type RunId = typeof RunId.Type

const digits = "0123456789abcdefghjkmnpqrstvwxyz"

const base32 = (value: bigint, length: number): string => {
  let text = ""
  for (let rest = value; text.length < length; rest >>= 5n) text = digits[Number(rest & 31n)] + text
  return text
}

/** A new id of the given kind: `yield* makeId(NetworkId, "net")`. */
export const makeId = <S extends Schema.Codec<string, string>>(schema: S, prefix: string): Effect.Effect<S["Type"]> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    const random = globalThis.crypto.getRandomValues(new BigUint64Array(1))[0]!
    return Schema.decodeSync(schema)(`${prefix}_${base32(BigInt(Math.trunc(now)), 10)}${base32(random & 0xffffffffffn, 8)}`)
  })
