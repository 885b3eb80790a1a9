/**
 * Starts a cluster's world: new user, network, mount and pid namespaces without any privilege on the machine. The scope holds the
 * world's standard input; closing it asks the world to end, and kills it when it does not.
 */
import { Effect, Option, Schema } from "effect"
import { type ChildProcessByStdio, spawn } from "node:child_process"
import { closeSync, openSync } from "node:fs"
import { dirname, join } from "node:path"
import { createInterface } from "node:readline"
import type { Readable, Writable } from "node:stream"
import { failed, type Failure } from "../cli/Failure.ts"
import { type Cluster, logsDir } from "./Cluster.ts"
import { type WorldConfig, WorldEvent } from "./world/WorldConfig.ts"

const namespaces = ["--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]

/** Process 1 of the world: a shell, because it collects orphans as an init must; Node would leave them as zombies. */
const init = 'exec 3<&0; "$@" <&3 3<&- & exec 3<&-; wait "$!"'

const patienceMs = 15_000

const end = (child: ChildProcessByStdio<Writable, Readable, null>) =>
  Effect.callback<void>((resume) => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    const impatience = setTimeout(() => child.kill("SIGKILL"), patienceMs)
    child.once("exit", () => {
      clearTimeout(impatience)
      resume(Effect.void)
    })
    child.stdin.end()
  })

const ended = (cluster: Cluster, why: string) =>
  failed("cluster-ended", "The cluster ended", `the world of cluster ${cluster.name} ended: ${why}`, `read ${join(logsDir(cluster), "world.log")}, or check this machine: scripts/setup`)

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(WorldEvent))

/** Reads events, one JSON document a line, as a world or a background starter writes them, until the cluster is ready. */
export const follow = (cluster: Cluster, stream: Readable, tell: (text: string) => void): Effect.Effect<void, Failure> =>
  Effect.callback((resume) => {
    createInterface({ input: stream })
      .on("line", (line) => {
        const event = Option.getOrNull(decode(line))
        if (event?._tag === "Step") tell(event.text)
        if (event?._tag === "Ready") resume(Effect.void)
        if (event?._tag === "Failed") resume(Effect.fail(failed("cluster-failed", "The cluster did not start", event.message, event.hint)))
      })
      .on("close", () => resume(Effect.fail(ended(cluster, "it stopped while it was starting"))))
  })

/** Answers once the cluster is ready; the answer waits for the world's end, which is a failure. */
export const startWorld = Effect.fn("dev.startWorld")(function*(cluster: Cluster, config: WorldConfig, tell: (text: string) => void) {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const log = openSync(join(logsDir(cluster), "world.log"), "a", 0o600)
      const child = spawn("unshare", [
        ...namespaces, "sh", "-c", init, "world", process.execPath, join(config.bundles, "world.mjs"), JSON.stringify(config)
      ], {
        // A session of its own, so that Ctrl-C reaches the starter only and the world ends in order.
        detached: true,
        cwd: dirname(config.bundles),
        stdio: ["pipe", "pipe", log]
      }) as ChildProcessByStdio<Writable, Readable, null>
      child.stdin.on("error", () => undefined)
      closeSync(log)
      return child
    }),
    end
  )
  const worldEnds = Effect.callback<never, Failure>((resume) => {
    child.once("error", (error) => resume(Effect.fail(ended(cluster, error.message))))
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.fail(ended(cluster, "it was killed")))
    child.once("exit", (code, signal) => resume(Effect.fail(ended(cluster, signal ?? `exit code ${code}`))))
  })
  yield* Effect.raceFirst(follow(cluster, child.stdout, tell), worldEnds)
  return worldEnds
})
