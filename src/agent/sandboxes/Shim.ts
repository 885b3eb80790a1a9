/** A sandbox's shim, through the files it keeps (docs/protocol.md, "Sandbox shim"). Nothing here needs the agent that started it. */
import { Effect, Option, Queue, Schema } from "effect"
import { spawn } from "node:child_process"
import { constants, existsSync, watch } from "node:fs"
import { open, readFile } from "node:fs/promises"
import { join } from "node:path"
import { type FileTrouble, readJson } from "../files.ts"
import { childrenOf, isAlive, type ProcessRef } from "./process.ts"

const Shim = Schema.Struct({ pid: Schema.Int, startTime: Schema.Int })
const Status = Schema.Struct({ childPid: Schema.Int, childStartTime: Schema.Int })
const Exit = Schema.Struct({ code: Schema.Int, signal: Schema.optionalKey(Schema.String), at: Schema.Number })
export type Exit = typeof Exit.Type

export class ShimTrouble extends Schema.TaggedError<ShimTrouble>()("ShimTrouble", { message: Schema.String }) {}

const read = <A>(folder: string, name: string, schema: Schema.Codec<A, any>) => Effect.map(readJson(join(folder, name), schema), Option.getOrUndefined)
export const readShim = (folder: string): Effect.Effect<ProcessRef | undefined, FileTrouble> => read(folder, "shim.json", Shim)
export const readExit = (folder: string): Effect.Effect<Exit | undefined, FileTrouble> => read(folder, "exit.json", Exit)
/** The process whose namespaces are the sandbox's. */
export const readChild = (folder: string): Effect.Effect<ProcessRef | undefined, FileTrouble> =>
  Effect.map(read(folder, "status.json", Status), (status) => status === undefined ? undefined : { pid: status.childPid, startTime: status.childStartTime })

/** Answers once it has introduced itself (`shim.json`): from then on it can be found, whatever becomes of the agent. */
export const startShim = (shim: string, folder: string, command: ReadonlyArray<string>): Effect.Effect<void, ShimTrouble | FileTrouble> => Effect.gen(function*() {
  const ended = yield* spawnShim(shim, folder, command)
  const known = until(folder, Effect.map(readShim(folder), (found) => found ?? (ended() ? "ended" : undefined)))
  if ((yield* known) === "ended") return yield* Effect.flatMap(lastWords(folder), (message) => new ShimTrouble({ message }))
})

/** It gets a session of its own; what it has to say before it has a log goes to `shim.log`. Answers how to ask whether it has ended. */
const spawnShim = (shim: string, folder: string, command: ReadonlyArray<string>): Effect.Effect<() => boolean, ShimTrouble> => Effect.tryPromise({
  try: async () => {
    const log = await open(join(folder, "shim.log"), "w", 0o600)
    try {
      const child = spawn(shim, ["-dir", folder, "--", ...command], { detached: true, stdio: ["ignore", log.fd, log.fd], cwd: "/", env: { PATH: process.env["PATH"] } })
      child.unref()
      await new Promise<void>((resolve, reject) => { child.once("error", reject).once("spawn", resolve) })
      return () => child.exitCode !== null || child.signalCode !== null
    } finally {
      await log.close()
    }
  },
  catch: (error) => new ShimTrouble({ message: `${shim} cannot be started (${error instanceof Error ? error.message : String(error)}); run scripts/setup, or set GLOBALSTACKS_LIBEXEC` })
})

/** Looks again whenever the folder changes, and each second: a shim that is killed leaves no file. */
const until = <A>(folder: string, look: Effect.Effect<A | undefined, FileTrouble>): Effect.Effect<A, FileTrouble> => Effect.scoped(Effect.gen(function*() {
  const changes = yield* Queue.sliding<void>(1)
  yield* Effect.acquireRelease(
    Effect.sync(() => watch(folder, () => { Queue.offerUnsafe(changes, undefined) }).on("error", () => {})), // the second covers it
    (watcher) => Effect.sync(() => watcher.close()))
  for (;;) {
    const found = yield* look
    if (found !== undefined) return found
    yield* Effect.timeoutOption(Queue.take(changes), "1 second")
  }
}))

/** Waits for the held child; fails with what it said when it ended before. */
export const awaitChild = (folder: string): Effect.Effect<ProcessRef, ShimTrouble | FileTrouble> =>
  until(folder, Effect.gen(function*() {
    const child = yield* readChild(folder)
    if (child !== undefined) return child
    const exit = yield* readExit(folder)
    const shim = yield* readShim(folder)
    return exit !== undefined || (shim !== undefined && !isAlive(shim)) ? "ended" : undefined
  })).pipe(Effect.flatMap((found) => found === "ended" ? Effect.flatMap(lastWords(folder), (message) => new ShimTrouble({ message })) : Effect.succeed(found)))

/**
 * Waits until a released child has set the sandbox up and made the program's process: only then can others enter, and
 * does it end on TERM. Fails with what bubblewrap said when it could not.
 */
export const awaitProgram = (folder: string, child: ProcessRef): Effect.Effect<void, ShimTrouble | FileTrouble> => Effect.gen(function*() {
  for (let wait = 1; isAlive(child); wait = Math.min(wait * 2, 20)) {
    // First: what the shim held back goes on when it dies, and has children for a moment.
    const end = yield* readEnd(folder)
    if (end !== undefined && end.exit === undefined) return yield* new ShimTrouble({ message: "its shim was killed while it started" })
    if (end !== undefined) break // a short program has ended, a moment before its sandbox
    if (childrenOf(child.pid).length > 0) return
    yield* Effect.sleep(wait) // the kernel tells nobody of a new child
  }
  const exit = yield* awaitExit(folder)
  const words = yield* lastWords(folder)
  if (exit === undefined || words.startsWith("bwrap: ")) return yield* new ShimTrouble({ message: words })
})

/** Undefined while its shim lives and has not told of the end; without `exit` when the shim is gone and left no word, or never was. */
export const readEnd = (folder: string): Effect.Effect<{ readonly exit: Exit | undefined } | undefined, FileTrouble> => Effect.gen(function*() {
  const exit = yield* readExit(folder)
  if (exit !== undefined) return { exit }
  const shim = yield* readShim(folder)
  return shim === undefined || !isAlive(shim) ? { exit: yield* readExit(folder) } : undefined // it may have told and gone in between
})

/** Waits for the end; undefined when the shim was killed and left no word. */
export const awaitExit = (folder: string): Effect.Effect<Exit | undefined, FileTrouble> => Effect.map(until(folder, readEnd(folder)), (end) => end.exit)

/** A shim that has ended takes no command, which is no failure; one that has just started may take a moment to listen. */
export const command = (folder: string, word: "release" | "term" | "kill"): Effect.Effect<void, FileTrouble> => Effect.asVoid(until(folder, Effect.gen(function*() {
  if (yield* Effect.promise(() => say(folder, word))) return "said"
  const shim = yield* readShim(folder)
  return shim === undefined || !isAlive(shim) ? "ended" : undefined
})))

/** Whether a shim has it: one may go between being asked and being told. */
const say = async (folder: string, word: string): Promise<boolean> => {
  const fifo = await open(join(folder, "control"), constants.O_WRONLY | constants.O_NONBLOCK).catch(() => undefined)
  if (fifo === undefined) return false
  try {
    await fifo.write(`${word}\n`)
    return true
  } catch {
    return false
  } finally {
    await fifo.close()
  }
}

const lastWords = (folder: string): Effect.Effect<string> => Effect.promise(async () => {
  for (const name of ["output.log", "shim.log"]) {
    const text = existsSync(join(folder, name)) ? (await readFile(join(folder, name), "utf8")).trim() : ""
    if (text !== "") return text.split("\n").slice(-3).join("; ")
  }
  return "it ended before it started, without a word"
})
