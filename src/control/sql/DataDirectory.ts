/**
 * One process per data directory. The lock is a file with the holder's pid and start time; a file whose holder is gone
 * (killed, or another process under a recycled pid) is taken over.
 */
import { Effect, Schema } from "effect"
import type { Scope } from "effect"
import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { startTimeOf } from "../Processes.ts"

export class DataDirectoryLocked extends Schema.TaggedError<DataDirectoryLocked>()("DataDirectoryLocked", { message: Schema.String }) {}

const Holder = Schema.fromJsonString(Schema.Struct({ pid: Schema.Int, startTime: Schema.Int }))

const holderOf = (file: string): Effect.Effect<{ readonly pid: number; readonly startTime: number } | undefined> =>
  Effect.promise(() => readFile(file, "utf8").catch(() => "")).pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(Holder)),
    Effect.orElseSucceed(() => undefined)
  )

/** Creates `directory` when missing and holds it until the scope closes. */
export const lockDirectory = (directory: string): Effect.Effect<void, DataDirectoryLocked, Scope.Scope> => {
  const file = join(directory, "lock")
  const acquire = Effect.gen(function*() {
    yield* Effect.promise(() => mkdir(directory, { recursive: true, mode: 0o700 }))
    const mine = join(directory, `lock.${process.pid}`)
    yield* Effect.promise(() => writeFile(mine, JSON.stringify({ pid: process.pid, startTime: startTimeOf(process.pid) }), { mode: 0o600 }))
    // A hard link either appears whole or not at all, also when two processes try at once.
    const claim = Effect.promise(() => link(mine, file).then(() => true, () => false))
    let claimed = yield* claim
    if (!claimed) {
      const holder = yield* holderOf(file)
      if (holder === undefined || startTimeOf(holder.pid) !== holder.startTime) {
        yield* Effect.promise(() => rm(file, { force: true }))
        claimed = yield* claim
      }
    }
    yield* Effect.promise(() => rm(mine, { force: true }))
    if (!claimed) {
      const holder = yield* holderOf(file)
      return yield* new DataDirectoryLocked({
        message: `${directory} is in use by process ${holder?.pid ?? "?"}. Stop that control plane, or set GLOBALSTACKS_STATE_DIR to another directory.`
      })
    }
  })
  return Effect.acquireRelease(acquire, () => Effect.promise(() => rm(file, { force: true })))
}
