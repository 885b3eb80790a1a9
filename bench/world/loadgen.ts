/** The measurements that the load generator makes, and the program at the far end of each. */
import { existsSync } from "node:fs"
import { inside, run } from "./namespaces.ts"
import { measure, start, until, type Running } from "./processes.ts"

export const loadgen = process.env["GB_LOADGEN"] ?? ""
export const port = 8080

/** What one run of a measurement yields, by figure. */
export type Readings = Readonly<Record<string, number>>

export interface Measurement {
  readonly args: ReadonlyArray<string>
  readonly read: (result: Record<string, number>) => Readings
}

const number = (r: Record<string, number>, key: string): number => r[key] ?? Number.NaN

export const measurements: ReadonlyArray<Measurement> = [
  { args: ["tput", "-streams", "1"], read: (r) => ({ tput1: number(r, "gigabitsPerSecond") }) },
  { args: ["tput", "-streams", "8"], read: (r) => ({ tput8: number(r, "gigabitsPerSecond") }) },
  { args: ["rtt"], read: (r) => ({ rtt50: number(r, "p50Micros"), rtt99: number(r, "p99Micros") }) },
  { args: ["conn", "-workers", "1"], read: (r) => ({ conn1: number(r, "perSecond") }) },
  { args: ["conn", "-workers", "8"], read: (r) => ({ conn8: number(r, "perSecond") }) }
]

export const take = async (m: Measurement, netns: string, address: string, seconds: number): Promise<Readings> =>
  m.read(await measure(netns, [loadgen, ...m.args, "-addr", address, "-seconds", String(seconds)]) as Record<string, number>)

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
