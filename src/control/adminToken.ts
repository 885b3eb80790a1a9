/** A control plane that nobody could log in to would be useless: `<state>/admin.token` (mode 0600) always holds a user token that is valid. */
import { Effect, Option } from "effect"
import { mkdir, open, readFile, rename } from "node:fs/promises"
import { join } from "node:path"
import { asPrincipal } from "./Changes.ts"
import { Tokens } from "./Tokens.ts"

export const ensureAdminToken = Effect.fn("ensureAdminToken")(function*(stateDir: string) {
  const tokens = yield* Tokens
  const file = join(stateDir, "admin.token")
  const existing = yield* Effect.promise(() => readFile(file, "utf8").catch(() => ""))
  if (existing !== "" && Option.isSome(yield* tokens.authenticate(existing.trim()))) return
  const { secret } = yield* tokens.create("user", "admin").pipe(asPrincipal("control plane"))
  yield* Effect.promise(() => writeSecret(stateDir, file, `${secret}\n`))
  yield* Effect.logInfo(`Wrote an administrator's token to ${file}.`)
})

const writeSecret = async (directory: string, file: string, text: string): Promise<void> => {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const part = await open(`${file}.part`, "w", 0o600)
  try {
    await part.writeFile(text)
    await part.sync()
  } finally {
    await part.close()
  }
  await rename(`${file}.part`, file)
}
