/** A control plane that nobody could log in to would be useless: `<state>/admin.token` (mode 0600) always holds a user token that is valid. */
import { Effect, Option } from "effect"
import { join } from "node:path"
import { asPrincipal } from "./Changes.ts"
import { readText, replaceFile } from "./files.ts"
import { Tokens } from "./Tokens.ts"

export const ensureAdminToken = Effect.fn("ensureAdminToken")(function*(stateDir: string) {
  const tokens = yield* Tokens
  const file = join(stateDir, "admin.token")
  const existing = yield* Effect.promise(() => readText(file))
  if (existing !== undefined && existing !== "" && Option.isSome(yield* tokens.authenticate(existing.trim()))) return
  const { secret } = yield* tokens.create("user", "admin").pipe(asPrincipal("control plane"))
  yield* Effect.promise(() => replaceFile(file, `${secret}\n`))
  yield* Effect.logInfo(`Wrote an administrator's token to ${file}.`)
})
