/** Who started a cluster: `starter.json` in its state folder. The file is also the lock that keeps a second starter away while the first lives. */
import { Effect, Option, Schema } from "effect"
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { failed } from "../cli/Failure.ts"
import type { Cluster } from "./Cluster.ts"
import { startTimeOf } from "./processes.ts"

export const Starter = Schema.Struct({
  pid: Schema.Int,
  startTime: Schema.String,
  hosts: Schema.Int,
  /** Where the relay listens on 127.0.0.1, or did: the next start asks for the same. 0 is any. */
  port: Schema.Int,
  /** Set once the cluster is up. */
  url: Schema.NullOr(Schema.String),
  /** The context that was current before the cluster's own. */
  previousContext: Schema.NullOr(Schema.String)
})
export type Starter = typeof Starter.Type

const file = (cluster: Cluster) => join(cluster.stateDir, "starter.json")
const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Starter))

const write = (path: string, starter: Starter) => writeFileSync(path, `${JSON.stringify(starter)}\n`, { mode: 0o600 })

/** What the last starter wrote, alive or not. */
export const last = (cluster: Cluster): Starter | null => {
  try {
    return Option.getOrNull(decode(readFileSync(file(cluster), "utf8")))
  } catch {
    return null
  }
}

export const isAlive = (starter: Starter) => startTimeOf(starter.pid) === starter.startTime

/** The starter of a running cluster. */
export const running = (cluster: Cluster): Starter | null => {
  const starter = last(cluster)
  return starter !== null && isAlive(starter) ? starter : null
}

export const update = (cluster: Cluster, starter: Starter) =>
  Effect.sync(() => {
    write(`${file(cluster)}.new`, starter)
    renameSync(`${file(cluster)}.new`, file(cluster))
  })

const link = (draft: string, path: string) => {
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false
    throw error
  }
}

export const alreadyRunning = (cluster: Cluster, starter: Starter) =>
  failed(
    "cluster-running",
    "The cluster is running",
    `cluster ${cluster.name} is already running${starter.url === null ? " (still starting)" : ` at ${starter.url}`}, started by process ${starter.pid}`,
    cluster.name === "dev" ? "gstacks dev status" : `gstacks dev status --name ${cluster.name}`
  )

/** Makes this process the cluster's starter for as long as it lives. Answers with its record and with what the last starter left. */
export const claim = Effect.fn("dev.claim")(function*(cluster: Cluster, hosts: number) {
  const before = last(cluster)
  if (before !== null && isAlive(before)) return yield* alreadyRunning(cluster, before)
  const mine: Starter = { pid: process.pid, startTime: startTimeOf(process.pid) ?? "", hosts, port: before?.port ?? 0, url: null, previousContext: null }
  mkdirSync(cluster.stateDir, { recursive: true, mode: 0o700 })
  const draft = `${file(cluster)}.${process.pid}`
  write(draft, mine)
  if (before !== null) rmSync(file(cluster), { force: true })
  const won = link(draft, file(cluster))
  rmSync(draft)
  if (!won) return yield* alreadyRunning(cluster, last(cluster) ?? mine)
  return { mine, before }
})
