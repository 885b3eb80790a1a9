/**
 * Identifiers: a prefix that names the kind, then 18 lower-case base-32 digits that sort by time of creation
 * (50 bits of milliseconds, 40 random bits). Ids are generated, never chosen and never reused; they are no secrets.
 */
import { Clock, Effect, Random, Schema } from "effect"

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
export const LocalNodeId = id("lcl").pipe(Schema.brand("LocalNodeId"))
export type LocalNodeId = typeof LocalNodeId.Type
export const MachineId = id("mch").pipe(Schema.brand("MachineId"))
export type MachineId = typeof MachineId.Type
/** Who opens a stream: a sandbox, or a developer's joined machine. */
export const SourceId = Schema.Union([SandboxId, LocalNodeId])
export type SourceId = typeof SourceId.Type

/** Of a question that a joined machine is asked. */
export const QuestionId = id("qst").pipe(Schema.brand("QuestionId"))
export type QuestionId = typeof QuestionId.Type
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
  Effect.zipWith(Clock.currentTimeMillis, Random.next, (now, random) =>
    Schema.decodeSync(schema)(`${prefix}_${base32(BigInt(Math.trunc(now)), 10)}${base32(BigInt(Math.floor(random * 2 ** 40)), 8)}`))
