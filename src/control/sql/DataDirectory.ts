/**
 * One process per data directory. The lock is the kernel's (`flock`): it ends with its holder however that dies, and holds
 * across process namespaces, where a pid says nothing. Node cannot take one, so util-linux does it on our descriptor.
 */
import { Effect, Schema, type Scope } from "effect"
import { spawn } from "node:child_process"
import { type FileHandle, mkdir, open, readFile } from "node:fs/promises"
import { join } from "node:path"

export class DataDirectoryLocked extends Schema.TaggedError<DataDirectoryLocked>()("DataDirectoryLocked", { message: Schema.String }) {}

/** `flock`'s answer when someone else has it. */
const taken = 1

/** The lock belongs to the open file, which the child shares with us: it stays when the child has ended. */
const lock = (file: FileHandle): Promise<number | null> => new Promise((answer, fail) => {
  spawn("flock", ["--exclusive", "--nonblock", "3"], { stdio: ["ignore", "ignore", "ignore", file.fd] }).once("exit", answer).once("error", fail)
})

/** Creates `directory` when missing and holds it until the scope closes. */
export const lockDirectory = (directory: string): Effect.Effect<void, DataDirectoryLocked, Scope.Scope> => Effect.gen(function*() {
  const path = join(directory, "lock")
  const file = yield* Effect.acquireRelease(
    Effect.promise(async () => {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      return open(path, "a", 0o600)
    }),
    (file) => Effect.promise(() => file.close())
  )
  const code = yield* Effect.tryPromise({
    try: () => lock(file),
    catch: () => new DataDirectoryLocked({ message: `${directory} cannot be locked: the program flock is missing. Install util-linux.` })
  })
  if (code === taken) {
    const holder = yield* Effect.promise(() => readFile(path, "utf8"))
    return yield* new DataDirectoryLocked({
      message: `${directory} is in use by process ${holder.trim()}. Stop that control plane, or set GLOBALSTACKS_STATE_DIR to another directory.`
    })
  }
  if (code !== 0) return yield* new DataDirectoryLocked({ message: `${directory} cannot be locked (flock ended with ${code}): its file system may not support locks.` })
  yield* Effect.promise(async () => {
    await file.truncate()
    await file.write(`${process.pid}\n`)
  })
})
