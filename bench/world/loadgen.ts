/** The measurements that the load generator makes, and the program at the far end of each. */
import { existsSync } from "node:fs"
import { inside, run } from "./namespaces.ts"
import { measure, processorSeconds, start, until, type Running } from "./processes.ts"

export const loadgen = process.env["GB_LOADGEN"] ?? ""
export const port = 8080

/** What one run of a measurement yields, by figure. */
export type Readings = Readonly<Record<string, number>>

interface Measurement {
  readonly args: ReadonlyArray<string>
  /** From what the load generator printed, and the processor seconds that the relays spent meanwhile. */
  readonly read: (result: Result, relaySeconds: number, seconds: number) => Readings
}
type Result = Readonly<Record<"count" | "gigabitsPerSecond" | "perSecond" | "p50Micros" | "p99Micros", number>>

export const measurements: ReadonlyArray<Measurement> = [
  { args: ["tput", "-streams", "1"], read: (r, cpu, s) => ({ tput1: r.gigabitsPerSecond, cpuPerGigabyte: cpu / (r.gigabitsPerSecond * s / 8) }) },
  { args: ["tput", "-streams", "8"], read: (r) => ({ tput8: r.gigabitsPerSecond }) },
  { args: ["rtt"], read: (r) => ({ rtt50: r.p50Micros, rtt99: r.p99Micros }) },
  { args: ["conn", "-workers", "1"], read: (r) => ({ conn1: r.perSecond }) },
  { args: ["conn", "-workers", "8"], read: (r, cpu) => ({ conn8: r.perSecond, cpuPerConnection: cpu * 1e6 / r.count }) }
]

/** Namespace of the client, where it connects to, and the processes in between. */
export interface Path {
  readonly netns: string
  readonly address: string
  readonly relays: ReadonlyArray<Running>
}

export const take = async (m: Measurement, { address, netns, relays }: Path, seconds: number): Promise<Readings> => {
  const spent = (): number => relays.reduce((sum, { pid }) => sum + processorSeconds(pid), 0)
  const before = spent()
  const result = await measure(netns, [loadgen, ...m.args, "-addr", address, "-seconds", String(seconds)])
  return m.read(result as Result, spent() - before, seconds)
}

/** Starts the far end in a sandbox and returns once it answers there. */
export const serve = async (netns: string, at = `127.0.0.1:${port}`): Promise<Running> => {
  if (!existsSync(loadgen)) throw new Error("the load generator is missing: run this through npm run bench")
  const server = start(`serve-${netns}`, netns, [loadgen, "serve", "-addr", at])
  await answering(server, netns, at)
  return server
}

/** Waits until a connection to `address` from `netns` is answered by the far end. */
export const answering = (who: Running, netns: string, address: string): Promise<true> =>
  until(`${who.name} answers at ${address}`, who.name, 10_000, () => {
    try {
      run([...inside(netns, [loadgen]), "conn", "-addr", address, "-seconds", "0.001"])
      return true as const
    } catch {
      return undefined
    }
  })
