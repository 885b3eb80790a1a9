/**
 * What a shim that was killed leaves behind: bubblewrap's processes, found by the file that says who its child is, or by
 * their command line, which names files of the sandbox's folder.
 */
import { Effect } from "effect"
import { basename, join, relative } from "node:path"
import { isWithin } from "./bwrap.ts"
import { end, everyProcess, isAlive, type ProcessRef } from "./process.ts"
import { readChild, readShim } from "./Shim.ts"

/** The sandbox's folder that a process was started for, if it is a shim or bubblewrap. */
const folderOf = (root: string, words: ReadonlyArray<string>): string | undefined => {
  if (!["bwrap", "gstacks-shim"].includes(basename(words[0] ?? ""))) return undefined
  const file = words.find((word) => word !== root && isWithin(word, root))
  return file === undefined ? undefined : join(root, relative(root, file).split("/")[0]!)
}

const isShim = (words: ReadonlyArray<string>): boolean => basename(words[0] ?? "") === "gstacks-shim"
const found = (root: string) => Effect.sync(() => everyProcess().flatMap((process) => {
  const folder = folderOf(root, process.words)
  return folder === undefined ? [] : [{ ...process, folder }]
}))

/** Ends the sandbox of a folder, and waits until it has. */
export const endSandbox = (folder: string): Effect.Effect<void> => Effect.gen(function*() {
  const child = yield* Effect.orElseSucceed(readChild(folder), () => undefined)
  if (child !== undefined) yield* end(child)
})

/** Ends it with its shim, whatever state they are in. */
export const endRemains = (folder: string): Effect.Effect<void> => Effect.gen(function*() {
  yield* endSandbox(folder)
  const rest = yield* found(join(folder, ".."))
  yield* Effect.forEach(rest.filter((process) => process.folder === folder), end, { discard: true, concurrency: 8 })
})

/** Ends shims that are not the one their folder names, and sandboxes whose shim has gone. */
export const endOrphans = (root: string): Effect.Effect<void> => Effect.gen(function*() {
  const shims = new Map<string, ProcessRef | undefined>()
  for (const { folder, words, ...process } of yield* found(root)) {
    if (!shims.has(folder)) shims.set(folder, yield* Effect.orElseSucceed(readShim(folder), () => undefined))
    const shim = shims.get(folder)
    const answersForIt = shim !== undefined && (isShim(words) ? shim.pid === process.pid : isAlive(shim))
    if (answersForIt) continue
    yield* Effect.logWarning(`ending process ${process.pid}, which is left of a sandbox in ${folder}`)
    yield* end(process)
  }
})
