/** The processes of a cluster as its user sees them: what the world supervises, and what those started in turn. */
import type { Seen } from "./processes.ts"
import type { ProcessState, WorldState } from "./world/WorldConfig.ts"

export interface Row extends ProcessState {
  /** Of a shim: the sandbox whose parent it is. */
  readonly sandbox?: string
}

const found = (role: string, host: string | null, pid: number): Row => ({ role, host, pid, state: "running", restarts: 0, lastExit: null })

export const starterRow = (pid: number): Row => found("starter", null, pid)

/** A shim's argument list is bubblewrap's, which names the sandbox. */
const sandboxOf = (words: ReadonlyArray<string>) => words[words.indexOf("--hostname") + 1] ?? ""

/** Pids become the caller's. Headscale is the control plane's child, shims are the agents'; a shim's host is the one whose network it has. */
export const rows = (world: WorldState, seen: ReadonlyArray<Seen>): ReadonlyArray<Row> => {
  const outside = new Map(seen.map(({ inner, pid }) => [inner, pid]))
  const hostOf = (network: string | null) => Object.entries(world.networks).find(([, name]) => name === network)?.[0] ?? null
  const children = seen.flatMap(({ network, pid, program, words }): ReadonlyArray<Row> => {
    switch (program) {
      case "headscale": return [found("headscale", null, pid)]
      case "gstacks-shim": return [{ ...found("shim", hostOf(network), pid), sandbox: sandboxOf(words) }]
      default: return []
    }
  })
  return [...world.processes.map((process) => ({ ...process, pid: process.pid === null ? null : outside.get(process.pid) ?? null })), ...children]
}
