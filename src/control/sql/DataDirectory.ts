/**
 * One process per data directory. The lock is the kernel's (`flock`): it ends with its holder however that dies, and holds
 * across process namespaces, where a pid says nothing. Node cannot take one, so util-linux does it on our descriptor.
 */
import { Effect, Schema, type Scope } from "effect"
import { spawn } from "node:child_process"
import { type FileHandle, mkdir, open, readFile } from "node:fs/promises"
import { join } from "node:path"

export class DataDirectoryUnusable extends Schema.TaggedError<DataDirectoryUnusable>()("DataDirectoryUnusable", { message: Schema.String }) {}

const elsewhere = "set GLOBALSTACKS_STATE_DIR to another directory"

/** What opening or making a part of `directory` came to. */
export const using = <A>(directory: string, open: () => Promise<A>): Effect.Effect<A, DataDirectoryUnusable> => Effect.tryPromise({
  try: open,
  catch: (cause) => new DataDirectoryUnusable({
    message: `The database in ${directory} cannot be opened: ${cause instanceof Error ? cause.message : String(cause)}. Make room on its disk and see that the directory is yours to write, or ${elsewhere}.`
  })
})

/** `flock`'s answer when someone else has it. */
const taken = 1

/** The lock belongs to the open file, which the child shares with us: it stays when the child has ended. */
const lock = (file: FileHandle): Promise<number | null> => new Promise((answer, fail) => {
  spawn("flock", ["--exclusive", "--nonblock", "3"], { stdio: ["ignore", "ignore", "ignore", file.fd] }).once("exit", answer).once("error", fail)
})

/** Creates `directory` when missing and holds it until the scope closes. */
export const lockDirectory = (directory: string): Effect.Effect<void, DataDirectoryUnusable, Scope.Scope> => Effect.gen(function*() {
  const path = join(directory, "lock")
  const file = yield* Effect.acquireRelease(
    using(directory, async () => {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      return open(path, "a", 0o600)
    }),
    (file) => Effect.promise(() => file.close())
  )
  const code = yield* Effect.tryPromise({
    try: () => lock(file),
    catch: () => new DataDirectoryUnusable({ message: `${directory} cannot be locked: the program flock is missing. Install util-linux.` })
  })
  if (code === taken) {
    const holder = yield* Effect.promise(() => readFile(path, "utf8"))
    return yield* new DataDirectoryUnusable({
      message: `${directory} is in use by process ${holder.trim()}. Stop that control plane, or ${elsewhere}.`
    })
  }
  if (code !== 0) return yield* new DataDirectoryUnusable({ message: `${directory} cannot be locked (flock ended with ${code}): its file system may not support locks.` })
  yield* Effect.promise(async () => {
    await file.truncate()
    await file.write(`${process.pid}\n`)
  })
})
