/** A recording on disk: appears whole or not at all, readable by its owner only; read with bounds, whatever the file is. */
import { Effect, Result } from "effect"
import { open, readFile, rename, rm, stat } from "node:fs/promises"
import { decodeRecording, encodeRecording, largestRecording, type Recording } from "../domain/Sight/Recording.ts"
import { failed, type Failure } from "./Failure.ts"

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "it does not exist", EACCES: "permission denied", EISDIR: "it is a folder", ENOSPC: "the disk is full", ENOTDIR: "a part of its path is no folder"
}
const why = (error: unknown): string => reasons[(error as NodeJS.ErrnoException).code ?? ""] ?? (error as Error).message

const unwritable = (file: string, error: unknown): Failure =>
  failed("recording-unwritable", "The recording cannot be written", `${file} cannot be written: ${why(error)}`, "choose another file: gstacks debug record -o FILE")
const unreadable = (file: string, reason: string, hint = "make one: gstacks debug record --for 60s -o FILE"): Failure =>
  failed("recording-unreadable", "The recording cannot be read", `${file} cannot be read: ${reason}`, hint)

const isFolder = (file: string): Promise<boolean> => stat(file).then((info) => info.isDirectory(), () => false)

/** Opens the place before there is anything to write, so that nobody records a minute for nothing. Answers how many bytes it wrote. */
export const prepare = Effect.fnUntraced(function*(file: string) {
  const attempt = <A>(run: () => Promise<A>) => Effect.tryPromise({ try: run, catch: (error) => unwritable(file, error) })
  const draft = `${file}.${process.pid}.part`
  const handle = yield* Effect.acquireRelease(
    attempt(async () => {
      if (await isFolder(file)) throw Object.assign(new Error(), { code: "EISDIR" })
      return open(draft, "wx", 0o600)
    }),
    (opened) => Effect.promise(() => opened.close().then(() => rm(draft, { force: true })))
  )
  return (recording: Recording) => attempt(async () => {
    const content = Buffer.from(encodeRecording(recording))
    await handle.writeFile(content)
    await handle.sync()
    await rename(draft, file)
    return content.byteLength
  })
})

export const read = (file: string): Effect.Effect<Recording, Failure> => Effect.gen(function*() {
  const text = yield* Effect.tryPromise({
    try: async () => {
      const info = await stat(file)
      if (info.isDirectory()) throw Object.assign(new Error(), { code: "EISDIR" })
      if (!info.isFile()) throw new Error("it is no ordinary file") // a device may have no end
      return info.size <= largestRecording ? readFile(file, "utf8") : undefined
    },
    catch: (error) => unreadable(file, why(error))
  })
  if (text === undefined) return yield* unreadable(file, `it has more than ${largestRecording} bytes`, "record for a shorter time: gstacks debug record --for 10s -o FILE")
  const decoded = decodeRecording(text)
  return Result.isSuccess(decoded) ? decoded.success : yield* unreadable(file, decoded.failure.message, decoded.failure.hint)
})
