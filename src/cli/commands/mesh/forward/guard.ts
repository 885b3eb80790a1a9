/** Flags that guard a forward of HTTP against web pages: which hosts, and a token that is made here and told once. */
import { Flag } from "effect/cli"
import { createHash, randomBytes } from "node:crypto"
import type { ForwardGuard } from "../../../../protocol/meshd/Messages.ts"
import { hostName } from "../../../words.ts"

export const guardFlags = {
  hosts: hostName("host-header", "Let only HTTP requests in that are for this host, and from no other host's page; may repeat").pipe(Flag.atLeast(0), Flag.withDefault([])),
  withToken: Flag.Boolean("guard-token").pipe(Flag.withDescription("Let only HTTP requests in that carry a token, which is shown once"), Flag.withoutNegation, Flag.withDefault(false))
}

export interface Guarded { readonly guard: ForwardGuard | null; readonly token: string | null }

export const guarded = (hosts: ReadonlyArray<string>, withToken: boolean): Guarded => {
  const token = withToken ? randomBytes(24).toString("base64url") : null
  const guard = {
    ...(hosts.length === 0 ? {} : { hosts }),
    ...(token === null ? {} : { tokenSha256: createHash("sha256").update(token).digest("hex") })
  }
  return { guard: hosts.length === 0 && token === null ? null : guard, token }
}

/** What to tell of a forward at its start: who can use it beside its user. */
export const warnings = (listen: string, { guard, token }: Guarded): ReadonlyArray<string> => {
  if (token !== null) return [`requests need the header Gstacks-Token: ${token}`]
  if (guard !== null) return ["every program and user of this machine can use it; pages of other hosts cannot"]
  if (listen.startsWith("unix:")) return []
  return ["every program and user of this machine can use it, and every web page that is open in its browser",
    "if it is HTTP, guard it: --host-header <name the program uses, like 127.0.0.1>, or --guard-token; else consider --local unix:/path"]
}
