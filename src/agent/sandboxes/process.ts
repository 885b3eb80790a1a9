/** Processes by pid and start time, which together are never reused while the host is up. */
import { readFileSync } from "node:fs"

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
