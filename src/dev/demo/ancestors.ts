/**
 * `npm run demo` is npm, perhaps a shell, and this program. npm passes signals on, but nobody can pass on SIGKILL: so the demo watches
 * the npm that started it and ends with it.
 */
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { startTimeOf } from "../processes.ts"

interface Ancestor {
  readonly pid: number
  readonly startTime: string | null
}

const read = (path: string) => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}

const parentOf = (pid: number) => Number(/^PPid:\s*(\d+)$/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0)

/** From our parent up to the nearest npm; empty when npm did not start us. */
export const upToNpm = (): ReadonlyArray<Ancestor> => {
  if (process.env["npm_lifecycle_event"] === undefined) return []
  const chain: Array<Ancestor> = []
  for (let pid = process.ppid; pid > 1; pid = parentOf(pid)) {
    chain.push({ pid, startTime: startTimeOf(pid) })
    if (read(`/proc/${pid}/cmdline`).startsWith("npm ")) return chain
  }
  return []
}

/** Ends when one of them does. */
export const oneIsGone = (chain: ReadonlyArray<Ancestor>): Effect.Effect<void> =>
  chain.length === 0 ? Effect.never : Effect.gen(function*() {
    while (chain.every(({ pid, startTime }) => startTimeOf(pid) === startTime)) yield* Effect.sleep("250 millis")
  })
