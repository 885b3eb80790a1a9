/**
 * Long-lived programs of a measurement. They are children of the world's first process and end with it at the latest;
 * what they print goes to a file of the world, whose end is shown when one of them does not come up.
 */
import { spawn, type ChildProcess } from "node:child_process"
import { closeSync, existsSync, openSync, readFileSync } from "node:fs"
import { setTimeout as delay } from "node:timers/promises"
import { inside } from "./namespaces.ts"

export interface Running {
  readonly name: string
  readonly pid: number
  /** Resolves once the process is gone. */
  readonly kill: (signal?: NodeJS.Signals) => Promise<void>
}

export const folder = "/run/gb"
const logFile = (name: string): string => `${folder}/${name}.log`
export const logTail = (name: string): string =>
  existsSync(logFile(name)) ? readFileSync(logFile(name), "utf8").split("\n").slice(-15).join("\n") : "(no output)"

export const start = (name: string, netns: string, argv: ReadonlyArray<string>, env: Record<string, string> = {}): Running => {
  const log = openSync(logFile(name), "a")
  const [command, ...args] = inside(netns, argv)
  const child = spawn(command!, args, { stdio: ["ignore", log, log], env: { ...process.env, ...env } })
  closeSync(log)
  const gone = new Promise<void>((resolve) => {
    child.once("exit", () => resolve())
    child.once("error", () => resolve())
  })
  if (child.pid === undefined) throw new Error(`cannot start ${name}: ${command} is missing`)
  return {
    name, pid: child.pid,
    kill: (signal = "SIGKILL") => {
      child.kill(signal)
      return gone
    }
  }
}

/** Runs a measuring command to its end and reads the one JSON object that it prints. */
export const measure = async (netns: string, argv: ReadonlyArray<string>): Promise<unknown> => JSON.parse(await output(netns, argv)) as unknown

export const output = (netns: string, argv: ReadonlyArray<string>): Promise<string> => {
  const [command, ...args] = inside(netns, argv)
  const child = spawn(command!, args, { stdio: ["ignore", "pipe", "pipe"] })
  return collect(child, argv.join(" "))
}

const collect = (child: ChildProcess, what: string): Promise<string> =>
  new Promise((resolve, reject) => {
    let out = "", err = ""
    child.stdout?.setEncoding("utf8").on("data", (s: string) => (out += s))
    child.stderr?.setEncoding("utf8").on("data", (s: string) => (err += s))
    child.once("error", reject)
    child.once("close", (code) => code === 0 ? resolve(out) : reject(new Error(`${what}: exit ${code}\n${err.trim()}`)))
  })

/** Asks every 20 ms; after `limitMs` fails with what was awaited and the last words of `name`. */
export const until = async <A>(what: string, name: string, limitMs: number, ask: () => A | undefined | Promise<A | undefined>): Promise<A> => {
  const end = performance.now() + limitMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (performance.now() > end) throw new Error(`${what}: not within ${limitMs} ms; the end of ${name}'s log:\n${logTail(name)}`)
    await delay(20)
  }
}

/** The fields of /proc/PID/stat after the name, so that the first of them is field 3. */
const statFields = (pid: number): ReadonlyArray<number> => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ").map(Number)
}

/** Field 22; with the pid it names a process for good. */
export const startTimeOf = (pid: number): number => statFields(pid)[19] ?? Number.NaN

const ticksPerSecond = 100
/** User and system time of all its threads, fields 14 and 15. */
export const processorSeconds = (pid: number): number => {
  const fields = statFields(pid)
  return ((fields[11] ?? Number.NaN) + (fields[12] ?? Number.NaN)) / ticksPerSecond
}

export const residentBytes = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? Number.NaN) * 1024
