/**
 * Contexts: named control planes with their token, in `$XDG_CONFIG_HOME/gstacks/config.json` (mode 0600, written atomically).
 * A token is sent only to the URL it was stored with, unless flag or environment give one.
 */
import { Effect, Option, Schema } from "effect"
import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises"
import { homedir } from "node:os"
import { dirname, join } from "node:path"
import { failed, type Failure, notFound } from "./Failure.ts"
import { ContextName, Token, Url } from "./GlobalFlags.ts"
import { Shell } from "./Shell.ts"

export const defaultUrl = "http://127.0.0.1:7070"

const Context = Schema.Struct({
  url: Schema.String, token: Schema.optionalKey(Schema.String), agentSockets: Schema.optionalKey(Schema.Record(Schema.String, Schema.String))
})
export type Context = typeof Context.Type

const Contexts = Schema.Struct({ current: Schema.optionalKey(Schema.String), contexts: Schema.Record(Schema.String, Context) })
export type Contexts = typeof Contexts.Type

/** Where a command goes and as whom. `context` is null when flags, environment or the default decided alone. */
export interface Target {
  readonly url: string
  readonly token: string | undefined
  readonly context: string | null
  readonly agentSockets: Readonly<Record<string, string>>
}

export const path: Effect.Effect<string, never, Shell> = Effect.map(Shell, ({ env }) =>
  join(env["XDG_CONFIG_HOME"] || join(env["HOME"] || homedir(), ".config"), "gstacks", "config.json"))

const unreadable = (file: string, why: string): Failure =>
  failed("bad-config", "The configuration cannot be used", `${file}: ${why}`, "mend or remove the file, then: gstacks login")

export const read: Effect.Effect<Contexts, Failure, Shell> = Effect.gen(function*() {
  const file = yield* path
  const text = yield* Effect.tryPromise({
    try: () => readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => error.code === "ENOENT" ? `{"contexts":{}}` : Promise.reject(error)),
    catch: (cause) => unreadable(file, (cause as Error).message)
  })
  return yield* Schema.decodeUnknownEffect(Schema.fromJsonString(Contexts))(text).pipe(
    Effect.mapError(() => unreadable(file, "not a valid gstacks configuration"))
  )
})

export const write = (contexts: Contexts): Effect.Effect<void, Failure, Shell> =>
  Effect.flatMap(path, (file) =>
    Effect.tryPromise({
      try: async () => {
        await mkdir(dirname(file), { recursive: true, mode: 0o700 })
        const draft = `${file}.${process.pid}.tmp`
        await writeFile(draft, JSON.stringify(contexts, null, 2) + "\n", { mode: 0o600 })
        await chmod(draft, 0o600)
        await rename(draft, file)
      },
      catch: (cause) => unreadable(file, (cause as Error).message)
    }))

/** The name of a context, by flag, environment or `context use`, and whether the command itself named it. */
export const chosenName = Effect.gen(function*() {
  const { env } = yield* Shell
  const named = Option.getOrUndefined(yield* ContextName) ?? (env["GSTACKS_CONTEXT"] || undefined)
  const stored = yield* read
  return { stored, name: named ?? stored.current, explicit: named !== undefined }
})

export const noContext = (name: string): Failure => notFound("context-not-found", `there is no context ${name}`, "gstacks context list")

/** Flag before environment before context before default. */
export const targetWith = (name: string | null, context: Context | undefined) =>
  Effect.gen(function*() {
    const { env } = yield* Shell
    const url = Option.getOrUndefined(yield* Url) ?? (env["GSTACKS_URL"] || undefined) ?? context?.url ?? defaultUrl
    const own = context?.url === url ? context : undefined
    const token = Option.getOrUndefined(yield* Token) ?? (env["GSTACKS_TOKEN"] || undefined) ?? own?.token
    return { url, token, context: own === undefined ? null : name, agentSockets: own?.agentSockets ?? {} } satisfies Target
  })

export const target = Effect.gen(function*() {
  const { stored, name, explicit } = yield* chosenName
  const context = name === undefined ? undefined : stored.contexts[name]
  if (name !== undefined && context === undefined && explicit) return yield* noContext(name)
  return yield* targetWith(name ?? null, context)
})
