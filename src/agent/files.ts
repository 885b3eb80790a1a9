/** Files of the agent's state: written whole or not at all (temporary file, fsync, rename), readable by the owner only, checked when read. */
import { Effect, Option, Schema } from "effect"
import { randomUUID } from "node:crypto"
import { mkdir, open, readFile, rename, rm } from "node:fs/promises"
import { dirname } from "node:path"

export class FileTrouble extends Schema.TaggedError<FileTrouble>()("FileTrouble", { path: Schema.String, message: Schema.String }) {}

const attempt = <A>(path: string, run: () => Promise<A>): Effect.Effect<A, FileTrouble> =>
  Effect.tryPromise({ try: run, catch: (error) => new FileTrouble({ path, message: `${path}: ${error instanceof Error ? error.message : String(error)}` }) })

export const writeAtomic = (path: string, content: string | Uint8Array, mode = 0o600): Effect.Effect<void, FileTrouble> => attempt(path, async () => {
  const temporary = `${path}.${randomUUID()}.tmp`
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  try {
    const file = await open(temporary, "wx", mode)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
})

export const writeJson = <A, I>(path: string, schema: Schema.Codec<A, I>, value: A): Effect.Effect<void, FileTrouble> =>
  Effect.flatMap(Effect.orDie(Schema.encodeEffect(schema)(value)), (encoded) => writeAtomic(path, `${JSON.stringify(encoded)}\n`))

/** None when the file is not there; trouble when it is there and cannot be read or understood. */
export const readJson = <A, I>(path: string, schema: Schema.Codec<A, I>): Effect.Effect<Option.Option<A>, FileTrouble> => Effect.gen(function*() {
  const text = yield* attempt(path, () => readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined
    throw error
  }))
  if (text === undefined) return Option.none()
  return Option.some(yield* Schema.decodeUnknownEffect(Schema.fromJsonString(schema))(text).pipe(
    Effect.mapError((error) => new FileTrouble({ path, message: `${path} is not what it should be: ${error.message}` }))))
})

export const remove = (path: string): Effect.Effect<void, FileTrouble> => attempt(path, () => rm(path, { recursive: true, force: true }))
