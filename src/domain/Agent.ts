/** Agents (one per host) and the tokens that enrol them. */
import { Schema } from "effect"
import { Contact } from "./Contact.ts"
import { AgentName } from "./DnsLabel.ts"
import { AgentId, TokenId } from "./Ids.ts"

/** An agent's word is kept and shown. */
const Fact = Schema.String.check(Schema.isMaxLength(1024))

/** What the agent says of its host when it attaches. */
export const HostFacts = Schema.Struct({
  version: Fact, meshdVersion: Schema.NullOr(Fact), transport: Schema.Literals(["tun", "netstack", "unknown"]),
  localSocket: Fact, startedAt: Fact, topologyMaxAgeMs: Schema.optionalKey(Schema.Number)
})
export type HostFacts = typeof HostFacts.Type

export const Agent = Schema.Struct({
  id: AgentId, name: AgentName, online: Schema.Boolean, lastSeenAt: Schema.NullOr(Schema.String),
  host: Schema.NullOr(HostFacts), sandboxes: Schema.Int, networks: Schema.Array(Schema.String), enrolledAt: Schema.String,
  /** As the control plane sees it; the agent itself judges by its own clock. Absent until the agent has told its age limit. */
  contact: Schema.optionalKey(Contact)
})
export type Agent = typeof Agent.Type

/** `enrolment` enrols one host, `user` is an administrator's, `inspector` only looks at actors. */
export const TokenKind = Schema.Literals(["enrolment", "user", "inspector"])
export const Token = Schema.Struct({
  id: TokenId, kind: TokenKind, name: Schema.String, createdAt: Schema.String, expiresAt: Schema.NullOr(Schema.String),
  usedAt: Schema.NullOr(Schema.String), usedBy: Schema.NullOr(Schema.String)
})
export type Token = typeof Token.Type
/** The secret is shown once. */
export const NewToken = Schema.Struct({ token: Token, secret: Schema.String })
export type NewToken = typeof NewToken.Type
