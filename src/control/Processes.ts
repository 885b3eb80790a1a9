/** Processes of this host, named by pid and start time, so that a recycled pid is never mistaken for an old acquaintance. */
import { readFileSync } from "node:fs"

/** Field 22 of `/proc/PID/stat` (clock ticks since boot); `undefined` when there is no such process, or only its zombie. */
export const startTimeOf = (pid: number): number | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1")
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ") // the name, in brackets, may hold anything
    return fields[0] === "Z" ? undefined : Number(fields[19])
  } catch {
    return undefined
  }
}
