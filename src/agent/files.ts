/**
 * Files of the agent's state: written whole or not at all (temporary file, fsync, rename, fsync of the folder), readable by the
 * owner only, checked when read. What has been written, or removed, stays so when the power fails. A line that is added to a file
 * stays too, but of one that was on its way a part may be left. What machines leave to their successors is declared in their files
 * (`survives`) and goes through `store` and `load`.
 */
import { Effect, Option, Schema } from "effect"
import { randomUUID } from "node:crypto"
import { basename, dirname, join } from "node:path"
import type { DurableState } from "../actors/runtime/DurableState.ts"
import { Disk } from "./Disk.ts"

export class FileTrouble extends Schema.TaggedError<FileTrouble>()("FileTrouble", { path: Schema.String, message: Schema.String }) {}

const attempt = <A>(path: string, run: (disk: Disk) => Promise<A>): Effect.Effect<A, FileTrouble> => Effect.flatMap(Disk, (disk) =>
  Effect.tryPromise({ try: () => run(disk), catch: (error) => new FileTrouble({ path, message: `${path}: ${error instanceof Error ? error.message : String(error)}` }) }))

export const writeAtomic = (path: string, content: string | Uint8Array, mode = 0o600): Effect.Effect<void, FileTrouble> => attempt(path, async (disk) => {
  const temporary = `${path}.${randomUUID()}.tmp`
  await disk.makeFolder(dirname(path))
  try {
    await disk.write(temporary, content, mode)
    await disk.rename(temporary, path)
    await disk.syncFolder(dirname(path))
  } catch (error) {
    await disk.remove(temporary)
    throw error
  }
})

export const appendLine = (path: string, line: string): Effect.Effect<void, FileTrouble> => attempt(path, (disk) => disk.append(path, `${line}\n`))

/** For what a loss of power may take; the file and its folder are made when they are not there. */
export const appendUnsynced = (path: string, text: string): Effect.Effect<void, FileTrouble> => attempt(path, async (disk) => {
  await disk.makeFolder(dirname(path))
  await disk.appendUnsynced(path, text)
})

/** Nothing, when there is no such folder. */
export const namesIn = (folder: string): Effect.Effect<ReadonlyArray<string>> => Effect.orElseSucceed(attempt(folder, (disk) => disk.list(folder)), () => [])

/** Undefined: there is none. */
export const readText = (path: string): Effect.Effect<string | undefined, FileTrouble> => attempt(path, (disk) => disk.read(path))

export const store = <A>(path: string, state: DurableState<A>, value: A): Effect.Effect<void, FileTrouble> =>
  Effect.suspend(() => writeAtomic(path, `${state.encode(value)}\n`))

/** None when there is none; trouble when it is there and cannot be read or used. Only while nobody stores to this path. */
export const load = <A>(path: string, state: DurableState<A>): Effect.Effect<Option.Option<A>, FileTrouble> => Effect.gen(function*() {
  yield* removeUnfinished(path)
  const text = yield* readText(path)
  return text === undefined ? Option.none() : Option.some(yield* decoded(path, state, text))
})

/** The trouble says what to do, and what follows. */
export const decoded = <A>(path: string, state: DurableState<A>, text: string): Effect.Effect<A, FileTrouble> =>
  Effect.fromResult(state.decode(text)).pipe(Effect.mapError(({ message, reason }) => new FileTrouble({
    path, message: `${path}: ${message}; ${reason === "newer" ? "start the newer program again, or remove the file" : "remove the file"}: without it, ${state.without}`
  })))

/** What cannot be used is as good as none; the log has the reason. */
export const orDropped = <A>(loaded: Effect.Effect<Option.Option<A>, FileTrouble>): Effect.Effect<Option.Option<A>> =>
  Effect.catch(loaded, ({ message }) => Effect.as(Effect.logWarning(`dropped: ${message}`), Option.none()))

/** What a process wrote that was killed before it could rename it. */
export const removeUnfinished = (path: string): Effect.Effect<void, FileTrouble> => attempt(path, async (disk) => {
  const folder = dirname(path)
  const names = await disk.list(folder).catch(() => [])
  for (const name of names) if (name.startsWith(`${basename(path)}.`) && name.endsWith(".tmp")) await disk.remove(join(folder, name))
})

/** None when the file is not there; trouble when it is there and cannot be read or understood. */
export const readJson = <A, I>(path: string, schema: Schema.Codec<A, I>): Effect.Effect<Option.Option<A>, FileTrouble> => Effect.gen(function*() {
  const text = yield* readText(path)
  if (text === undefined) return Option.none()
  return Option.some(yield* Schema.decodeUnknownEffect(Schema.fromJsonString(schema))(text).pipe(
    Effect.mapError((error) => new FileTrouble({ path, message: `${path} is not what it should be: ${error.message}` }))))
})

export const remove = (path: string): Effect.Effect<void, FileTrouble> => attempt(path, async (disk) => {
  await disk.remove(path)
  await disk.syncFolder(dirname(path))
})

/** The ids that name the files, or folders, of a folder, which is made when it is not there. */
export const idsIn = <Id extends string>(folder: string, schema: Schema.Codec<Id, string>): Effect.Effect<ReadonlyArray<Id>> =>
  Effect.orDie(attempt(folder, async (disk) => {
    await disk.makeFolder(folder)
    return (await disk.list(folder)).map((name) => name.replace(/\.json$/, "")).filter(Schema.is(schema))
  }))
