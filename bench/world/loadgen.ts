/** The measurements that the load generator makes, and the program at the far end of each. */
import { existsSync } from "node:fs"
import type { Readings } from "./contest.ts"
import { inside, run } from "./namespaces.ts"
import { options } from "./options.ts"
import { measure, processorSeconds, start, until, type Running } from "./processes.ts"

export const loadgen = process.env["GB_LOADGEN"] ?? ""
export const port = 8080

/** A client's namespace, where it connects to, and the processes in between. */
export interface Contestant {
  readonly name: string
  readonly netns: string
  readonly address: string
  readonly relays: ReadonlyArray<Running>
}

type Result = Readonly<Record<"count" | "gigabitsPerSecond" | "perSecond" | "p50Micros" | "p99Micros", number>>

/** One run of the load generator; `read` gets what it printed and the processor seconds that the relays spent meanwhile. */
const step = (args: ReadonlyArray<string>, read: (result: Result, relaySeconds: number, seconds: number) => Readings) =>
  async ({ address, netns, relays }: Contestant): Promise<Readings> => {
    const { seconds } = options()
    const spent = (): number => relays.reduce((sum, { pid }) => sum + processorSeconds(pid), 0)
    const before = spent()
    const result = await measure(netns, [loadgen, ...args, "-addr", address, "-seconds", String(seconds)])
    return read(result as Result, spent() - before, seconds)
  }

export const steps = [
  step(["tput", "-streams", "1"], (r, cpu, s) => ({ tput1: r.gigabitsPerSecond, cpuPerGigabyte: cpu / (r.gigabitsPerSecond * s / 8) })),
  step(["tput", "-streams", "8"], (r) => ({ tput8: r.gigabitsPerSecond })),
  step(["rtt"], (r) => ({ rtt50: r.p50Micros, rtt99: r.p99Micros })),
  step(["conn", "-workers", "1"], (r) => ({ conn1: r.perSecond })),
  step(["conn", "-workers", "8"], (r, cpu) => ({ conn8: r.perSecond, cpuPerConnection: cpu * 1e6 / r.count }))
]

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
