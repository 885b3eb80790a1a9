/** `gstacks dev status`: every process of the cluster with its role, its host and its pid as the caller sees it. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { note, show } from "../../cli/output/view.ts"
import { properties, table } from "../../cli/output/table.ts"
import type { Cluster } from "../Cluster.ts"
import type { Seen } from "../processes.ts"
import * as Starter from "../starter.ts"
import type { ProcessState, WorldState } from "../world/WorldConfig.ts"
import * as worldFile from "../worldFile.ts"
import * as words from "./words.ts"

/** Programs that others start, found by what they run; their host is the one whose network they have. */
const foundByProgram: Readonly<Record<string, string>> = { headscale: "headscale", "gstacks-shim": "shim" }

export const rows = (world: WorldState, seen: ReadonlyArray<Seen>): ReadonlyArray<ProcessState> => {
  const outside = new Map(seen.map((process) => [process.inner, process.pid]))
  const hostOf = (network: string | null) => Object.entries(world.networks).find(([, name]) => name === network)?.[0] ?? null
  const kept = world.processes.map((process) => ({ ...process, pid: process.pid === null ? null : outside.get(process.pid) ?? null }))
  const found = seen.flatMap((process): ReadonlyArray<ProcessState> => {
    const role = foundByProgram[process.program]
    if (role === undefined) return []
    const host = hostOf(process.network)
    return [{ role, host: host === "control" ? null : host, pid: process.pid, state: "running", restarts: 0, lastExit: null }]
  })
  return [...kept, ...found]
}

const state = (cluster: Cluster) => {
  const starter = Starter.running(cluster)
  const world = worldFile.read(cluster)
  const seen = worldFile.processes(world)
  const processes = world === null ? [] : rows(world, seen)
  return {
    name: cluster.name,
    state: starter === null ? "stopped" : starter.url === null ? "starting" : "running",
    url: starter?.url ?? null,
    hosts: starter?.hosts ?? 0,
    stateDir: cluster.stateDir,
    processes: starter === null ? [] : [{ role: "starter", host: null, pid: starter.pid, state: "running", restarts: 0, lastExit: null } satisfies ProcessState, ...processes]
  }
}

export const status = Command.make("status", { name: words.cluster }, Effect.fn(function*({ name: cluster }) {
  const document = state(cluster)
  yield* show({
    document,
    table: () =>
      document.state === "stopped" ? `cluster ${cluster.name} is not running\n` : properties([
        ["cluster", `${document.name}, ${document.state}`], ["control plane", document.url], ["state", document.stateDir]
      ]) + "\n" + table<ProcessState>([
        ["ROLE", (row) => row.role], ["HOST", (row) => row.host], ["PID", (row) => row.pid], ["STATE", (row) => row.state],
        ["RESTARTS", (row) => row.restarts], ["LAST EXIT", (row) => row.lastExit]
      ], document.processes),
    names: () => [cluster.name]
  })
  if (document.state === "stopped") yield* note(`next: ${words.command("up", cluster)}`)
})).pipe(Command.withDescription("List the cluster's processes with role, host and pid"))
