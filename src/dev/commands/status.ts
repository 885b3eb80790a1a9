/** `gstacks dev status`: every process of the cluster with its role, its host and its pid as the caller sees it. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { properties, table } from "../../cli/output/table.ts"
import { note, show } from "../../cli/output/view.ts"
import type { Cluster } from "../Cluster.ts"
import { type Row, rows, starterRow } from "../rows.ts"
import * as Starter from "../starter.ts"
import * as worldFile from "../worldFile.ts"
import * as words from "./words.ts"

const read = (cluster: Cluster) => {
  const starter = Starter.running(cluster)
  const world = worldFile.read(cluster)
  return {
    name: cluster.name,
    state: starter === null ? "stopped" : starter.url === null ? "starting" : "running",
    url: starter?.url ?? null,
    hosts: starter?.hosts ?? 0,
    stateDir: cluster.stateDir,
    processes: starter === null ? [] : [starterRow(starter.pid), ...world === null ? [] : rows(world, worldFile.processes(world))]
  }
}

const columns = [
  ["ROLE", (row: Row) => row.role], ["HOST", (row: Row) => row.host], ["PID", (row: Row) => row.pid], ["STATE", (row: Row) => row.state],
  ["RESTARTS", (row: Row) => row.restarts], ["LAST EXIT", (row: Row) => row.lastExit], ["SANDBOX", (row: Row) => row.sandbox]
] as const

export const status = Command.make("status", { name: words.cluster }, Effect.fn(function*({ name: cluster }) {
  const document = read(cluster)
  const running = document.state !== "stopped"
  yield* show({
    document,
    table: () =>
      running
        ? properties([["cluster", `${document.name}, ${document.state}`], ["control plane", document.url], ["state", document.stateDir]]) + "\n" +
          table<Row>(columns, document.processes)
        : `cluster ${cluster.name} is not running\n`,
    names: () => [cluster.name]
  })
  if (!running) yield* note(`next: ${words.command("up", cluster)}`)
})).pipe(Command.withDescription("List the cluster's processes with role, host and pid"))
