/**
 * A log of lines on disk that never grows beyond its bound: files, of which the oldest goes when a new one is begun. Nothing is
 * synced: what a crash takes, or leaves of the last line, is not read.
 */
import { Effect } from "effect"
import { join } from "node:path"
import { appendUnsynced, type FileTrouble, namesIn, readText, remove } from "../files.ts"

export interface Bounds { readonly segmentBytes: number; readonly segments: number }

export interface Segments {
  /** By one writer at a time. In trouble none of the lines is to be counted on. */
  readonly append: (lines: ReadonlyArray<string>) => Effect.Effect<void, FileTrouble>
  /** Hands the lines over, file by file and the newest file first, for as long as more are wanted. What cannot be read is left out. */
  readonly newestFirst: (visit: (lines: ReadonlyArray<string>) => "more" | "enough") => Effect.Effect<void>
}

/** The file that is written to; a full one is not any more. */
interface Current { readonly number: number; readonly bytes: number }

export const openSegments = (folder: string, { segmentBytes, segments }: Bounds): Segments => {
  const pathOf = (number: number) => join(folder, `${String(number).padStart(12, "0")}.jsonl`)
  const numbers = Effect.map(namesIn(folder), (names) =>
    names.filter((name) => /^\d{12}\.jsonl$/.test(name)).map((name) => Number.parseInt(name, 10)).sort((a, b) => b - a))
  const textOf = (number: number) => Effect.map(Effect.orElseSucceed(readText(pathOf(number)), () => undefined), (text = "") => text)
  let current: Current | undefined
  const isFull = ({ bytes }: Current): boolean => bytes >= segmentBytes

  /** Where a predecessor has left off. After half a line nothing may follow. */
  const found = Effect.gen(function*() {
    const [newest = 0] = yield* numbers
    const text = yield* textOf(newest)
    return { number: newest, bytes: text === "" || text.endsWith("\n") ? Buffer.byteLength(text) : Infinity }
  })

  const after = Effect.fnUntraced(function*({ number }: Current) {
    for (const old of (yield* numbers).slice(segments - 1)) yield* remove(pathOf(old))
    return { number: number + 1, bytes: 0 }
  })

  return {
    append: Effect.fnUntraced(function*(lines: ReadonlyArray<string>) {
      const known = current ?? (yield* found)
      const { bytes, number } = isFull(known) ? yield* after(known) : known
      const text = lines.map((line) => `${line}\n`).join("")
      current = { number, bytes: Infinity } // if the disk takes half of it
      yield* appendUnsynced(pathOf(number), text)
      current = { number, bytes: bytes + Buffer.byteLength(text) }
    }),
    newestFirst: Effect.fnUntraced(function*(visit: (lines: ReadonlyArray<string>) => "more" | "enough") {
      for (const number of yield* numbers) {
        const lines = (yield* textOf(number)).split("\n")
        if (visit(lines.slice(0, -1)) === "enough") return
        yield* Effect.yieldNow // others have waited
      }
    })
  }
}
