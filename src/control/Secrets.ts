/**
 * Tokens and credentials are 256 random bits. Only their SHA-256 is stored: with that much entropy there is nothing to guess,
 * so a slow hash would add cost and no safety. The prefix says what a leaked secret is.
 */
import { Effect } from "effect"
import { createHash, randomBytes } from "node:crypto"

export type SecretKind = "user" | "enrolment" | "agent" | "inspector"
const prefixes: Readonly<Record<SecretKind, string>> = { user: "gsu", enrolment: "gse", agent: "gsa", inspector: "gsi" }

export const makeSecret = (kind: SecretKind): Effect.Effect<string> =>
  Effect.sync(() => `${prefixes[kind]}_${randomBytes(32).toString("base64url")}`)

export const hashSecret = (secret: string): string => createHash("sha256").update(secret).digest("hex")
