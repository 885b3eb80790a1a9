/** Processes of this host, named by pid and start time, so that a recycled pid is never mistaken for an old acquaintance. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs"

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

/** The processes of this host with exactly these arguments, and the program that each of them runs. */
export const processesOf = (args: ReadonlyArray<string>): ReadonlyArray<{ readonly pid: number; readonly program: string }> => {
  const wanted = `\0${args.join("\0")}\0`
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((name) => {
    try {
      const line = readFileSync(`/proc/${name}/cmdline`, "utf8")
      return line.slice(line.indexOf("\0")) === wanted ? [{ pid: Number(name), program: readlinkSync(`/proc/${name}/exe`) }] : []
    } catch {
      return [] // it has ended, or is another user's
    }
  })
}
