/** Processes by pid and start time, which together are never reused while the host is up. */
import { Effect } from "effect"
import { readdirSync, readFileSync } from "node:fs"

export interface ProcessRef { readonly pid: number; readonly startTime: number }

/** Field 22 of /proc/PID/stat; undefined when there is no such process, or only its remains. */
export const startTimeOf = (pid: number): number | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ") // the name, in parentheses, may hold anything
    return fields[0] === "Z" || fields[0] === "X" ? undefined : Number(fields[19])
  } catch {
    return undefined
  }
}

export const isAlive = ({ pid, startTime }: ProcessRef): boolean => startTimeOf(pid) === startTime

/** Direct children of a process with a single thread. */
export const childrenOf = (pid: number): ReadonlyArray<number> => {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter((text) => text !== "").map(Number)
  } catch {
    return []
  }
}

/** Kills it, if it is still that process, and waits until it has gone; a process that the kernel holds up is left to it. */
export const end = (target: ProcessRef): Effect.Effect<void> => Effect.gen(function*() {
  try {
    if (isAlive(target)) process.kill(target.pid, "SIGKILL")
  } catch {
    return // it has gone, or is not ours
  }
  for (let wait = 1; isAlive(target); wait = Math.min(wait * 2, 50)) yield* Effect.sleep(wait) // the kernel tells only parents
}).pipe(Effect.timeoutOption("5 seconds"), Effect.asVoid)

/** Every process of the host, with the words it was started with. */
export const everyProcess = (): ReadonlyArray<ProcessRef & { readonly words: ReadonlyArray<string> }> => readdirSync("/proc").flatMap((name) => {
  const pid = Number(name)
  const startTime = Number.isInteger(pid) ? startTimeOf(pid) : undefined
  if (startTime === undefined) return []
  try {
    return [{ pid, startTime, words: readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0") }]
  } catch {
    return []
  }
})
