/** Agents (one per host) and the tokens that enrol them. */
import { Schema } from "effect"
import { AgentName } from "./DnsLabel.ts"
import { AgentId, TokenId } from "./Ids.ts"

/** What the agent says of its host when it attaches. */
export const HostFacts = Schema.Struct({
  version: Schema.String, meshdVersion: Schema.NullOr(Schema.String), transport: Schema.Literals(["tun", "netstack", "unknown"]),
  localSocket: Schema.String, startedAt: Schema.String
})
export type HostFacts = typeof HostFacts.Type

export const Agent = Schema.Struct({
  id: AgentId, name: AgentName, online: Schema.Boolean, lastSeenAt: Schema.NullOr(Schema.String),
  host: Schema.NullOr(HostFacts), sandboxes: Schema.Int, networks: Schema.Array(Schema.String), enrolledAt: Schema.String
})
export type Agent = typeof Agent.Type

export const TokenKind = Schema.Literals(["enrolment", "user"])
export const Token = Schema.Struct({
  id: TokenId, kind: TokenKind, name: Schema.String, createdAt: Schema.String, expiresAt: Schema.NullOr(Schema.String),
  usedAt: Schema.NullOr(Schema.String), usedBy: Schema.NullOr(Schema.String)
})
export type Token = typeof Token.Type
/** The secret is shown once. */
export const NewToken = Schema.Struct({ token: Token, secret: Schema.String })
export type NewToken = typeof NewToken.Type
