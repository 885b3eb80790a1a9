/** The machine's processes as /proc shows them to the caller: start times, and who lives in a cluster's world under which numbers. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs"
import { basename } from "node:path"

const quietly = <A>(read: () => A): A | null => {
  try {
    return read()
  } catch {
    return null // gone, or another user's
  }
}

/** Field 22 of /proc/PID/stat, in clock ticks since boot: with the pid it names a process for good. Null when there is none. */
export const startTimeOf = (pid: number): string | null =>
  quietly(() => {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return fields[0] === "Z" || fields[0] === "X" ? null : fields[19] ?? null
  })

export interface Seen {
  /** As the caller numbers it. */
  readonly pid: number
  /** As its own namespace numbers it. */
  readonly inner: number
  readonly program: string
  readonly network: string | null
  readonly words: ReadonlyArray<string>
}

const look = (pid: number, pidNamespace: string): Seen | null =>
  quietly(() => {
    if (readlinkSync(`/proc/${pid}/ns/pid`) !== pidNamespace) return null
    const numbers = /^NSpid:\s*(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]?.split(/\s+/) ?? []
    return {
      pid,
      inner: Number(numbers.at(-1) ?? pid),
      program: basename((quietly(() => readlinkSync(`/proc/${pid}/exe`)) ?? "").replace(/ \(deleted\)$/, "")),
      network: quietly(() => readlinkSync(`/proc/${pid}/ns/net`)),
      words: readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")
    }
  })

/** `pidNamespace` as /proc names it: `pid:[4026532010]`. */
export const inNamespace = (pidNamespace: string): ReadonlyArray<Seen> =>
  readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((name) => look(Number(name), pidNamespace) ?? [])
