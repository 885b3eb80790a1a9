/** A sandbox's output as the shim keeps it: `output.log`, and the part before it in `output.log.1`. */
import { Effect, Fiber, Queue, Stream } from "effect"
import { watch } from "node:fs"
import { type FileHandle, open } from "node:fs/promises"
import { join } from "node:path"

const readFrom = async (file: FileHandle, position: number, largest: number): Promise<Buffer> => {
  const { size } = await file.stat()
  const buffer = Buffer.alloc(Math.min(Math.max(size - position, 0), largest))
  const { bytesRead } = await file.read(buffer, 0, buffer.length, position)
  return buffer.subarray(0, bytesRead)
}

const lastOf = async (path: string, bytes: number): Promise<{ readonly tail: Buffer; readonly whole: boolean }> => {
  const file = await open(path).catch(() => undefined)
  if (file === undefined) return { tail: Buffer.alloc(0), whole: true }
  try {
    const { size } = await file.stat()
    return { tail: await readFrom(file, Math.max(size - bytes, 0), bytes), whole: size <= bytes }
  } finally {
    await file.close()
  }
}

/** The last bytes; `truncated` when there is more before them. */
export const lastOutput = (folder: string, maxBytes: number): Effect.Effect<{ readonly text: string; readonly truncated: boolean }> => Effect.promise(async () => {
  const current = await lastOf(join(folder, "output.log"), maxBytes)
  const left = maxBytes - current.tail.length
  const earlier = current.whole && left > 0 ? await lastOf(join(folder, "output.log.1"), left) : { tail: Buffer.alloc(0), whole: current.whole }
  return { text: Buffer.concat([earlier.tail, current.tail]).toString("utf8"), truncated: !current.whole || !earlier.whole }
})

const chunk = 64 * 1024

/** Everything in the current log, then what is added, across rotations, until `ended` completes. */
export const followOutput = (folder: string, ended: Effect.Effect<void>): Stream.Stream<string> => Stream.callback<string>((queue) => Effect.gen(function*() {
  const path = join(folder, "output.log")
  const decoder = new TextDecoder()
  let file: FileHandle | undefined
  let position = 0
  yield* Effect.addFinalizer(() => Effect.promise(async () => file?.close()))

  /** Undefined when there is nothing new. Not interrupted half way: it would lose a file that it has just opened. */
  const step = Effect.uninterruptible(Effect.promise(async (): Promise<string | undefined> => {
    file ??= await open(path).catch(() => undefined)
    if (file === undefined) return undefined
    const bytes = await readFrom(file, position, chunk)
    position += bytes.length
    if (bytes.length > 0) return decoder.decode(bytes, { stream: true })
    const next = await open(path).catch(() => undefined)
    if (next === undefined) return undefined
    if ((await next.stat()).ino === (await file.stat()).ino) {
      await next.close()
      return undefined
    }
    await file.close()
    file = next
    position = 0
    return ""
  }))
  const drain = Effect.gen(function*() {
    for (let text = yield* step; text !== undefined; text = yield* step) if (text !== "") yield* Queue.offer(queue, text)
  })
  const changed = Effect.raceFirst(Effect.sleep("500 millis"), Effect.callback<void>((resume) => {
    const watcher = watch(folder, () => resume(Effect.void))
    watcher.on("error", () => {})
    return Effect.sync(() => watcher.close())
  }))
  const over = yield* Effect.forkScoped(ended)
  for (let last = false; !last;) {
    last = over.pollUnsafe() !== undefined // what was written before the end is there by now
    yield* drain
    if (!last) yield* Effect.raceFirst(changed, Fiber.await(over))
  }
  yield* Queue.end(queue)
}), { bufferSize: 16 })
