/** `gstacks dev up [--hosts N] [--detach]`: brings the cluster up, and ends it with this command unless it is detached. */
import { Deferred, Effect, Exit } from "effect"
import { Command, Flag } from "effect/cli"
import { type ChildProcessByStdio, spawn } from "node:child_process"
import { closeSync, mkdirSync, openSync } from "node:fs"
import { dirname, join } from "node:path"
import type { Readable } from "node:stream"
import { failed } from "../../cli/Failure.ts"
import { Quiet } from "../../cli/GlobalFlags.ts"
import { note, show } from "../../cli/output/view.ts"
import { Shell } from "../../cli/Shell.ts"
import { envFlags } from "../../cli/words.ts"
import { type Cluster, logsDir } from "../Cluster.ts"
import { type Options, runCluster } from "../runCluster.ts"
import * as Starter from "../starter.ts"
import { follow } from "../startWorld.ts"
import type { WorldEvent } from "../world/WorldConfig.ts"
import * as words from "./words.ts"

const bundles = dirname(process.argv[1] ?? "")

const progress = Effect.map(Quiet, (quiet) => (text: string) => void (quiet || process.stderr.write(`${text}\n`)))

const shown = (cluster: Cluster, url: string, hosts: number) =>
  show({
    document: { name: cluster.name, url, hosts, stateDir: cluster.stateDir },
    table: () => `cluster ${cluster.name} is up: ${hosts} ${hosts === 1 ? "host" : "hosts"}, control plane at ${url}\n`,
    names: () => [cluster.name]
  })

const announced = (cluster: Cluster, previous: string | null) =>
  cluster.name !== "dev"
    ? note(`to use it: export GSTACKS_CONTEXT=${cluster.name}`)
    : previous === null ? Effect.void : note(`context dev is current now; ${previous} will be again when the cluster ends`)

const inputEnds = (read: Effect.Effect<Uint8Array | null>) => Effect.asVoid(Effect.repeat(read, { until: (bytes) => bytes === null }))

/** A signal, or with `lifeline` the end of standard input. */
const stopRequest = (lifeline: boolean) =>
  Effect.gen(function*() {
    const { onSignal, read } = yield* Shell
    const asked = yield* Deferred.make<void>()
    yield* onSignal(() => Effect.asVoid(Deferred.succeed(asked, undefined)))
    return lifeline ? Effect.raceFirst(Deferred.await(asked), inputEnds(read)) : Deferred.await(asked)
  })

/** Runs the cluster until it is asked to stop; that the world ends by itself is a failure. */
const hold = <E, R>(cluster: Cluster, options: Omit<Options, "bundles">, lifeline: boolean, ready: (url: string, previousContext: string | null) => Effect.Effect<void, E, R>) =>
  Effect.scoped(Effect.gen(function*() {
    const stop = yield* stopRequest(lifeline)
    const session = Effect.gen(function*() {
      const { previousContext, url, worldEnds } = yield* runCluster(cluster, { ...options, bundles })
      yield* ready(url, previousContext)
      return yield* worldEnds
    })
    yield* Effect.raceFirst(Effect.scoped(session), stop)
  }))

const detached = Effect.fn("dev.detach")(function*(cluster: Cluster, flags: ReadonlyArray<string>, tell: (text: string) => void) {
  const running = Starter.running(cluster)
  if (running !== null) return yield* Starter.alreadyRunning(cluster, running)
  const log = join(logsDir(cluster), "starter.log")
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => {
      mkdirSync(logsDir(cluster), { recursive: true, mode: 0o700 })
      const file = openSync(log, "a", 0o600)
      const child = spawn(process.execPath, [process.argv[1] ?? "", "dev", "background", ...flags], {
        detached: true, stdio: ["ignore", "pipe", file]
      }) as ChildProcessByStdio<null, Readable, null>
      closeSync(file)
      return child
    }),
    // Only a cluster that is up outlives this command.
    (child, exit) => Effect.sync(() => Exit.isSuccess(exit) ? child.unref() : child.kill("SIGTERM"))
  )
  yield* follow(cluster, child.stdout, tell).pipe(Effect.ensuring(Effect.sync(() => child.stdout.destroy())))
  const { url } = Starter.running(cluster) ?? { url: null }
  return url ?? (yield* failed("cluster-ended", "The cluster ended", `cluster ${cluster.name} ended as soon as it was up`, `read ${log}`))
})

const name = words.cluster, hosts = words.hosts, env = envFlags

export const up = Command.make("up", {
  name, hosts, env,
  detach: Flag.Boolean("detach").pipe(Flag.withDescription("Come back once it is up; gstacks dev down ends it"), Flag.withoutNegation, Flag.withDefault(false)),
  lifeline: Flag.Boolean("lifeline").pipe(Flag.withDescription("End when standard input ends, for programs that start a cluster"), Flag.withoutNegation, Flag.withDefault(false))
}, Effect.fn(function*({ detach, env, hosts, lifeline, name }) {
  const tell = yield* progress
  if (detach) {
    const flags = ["--name", name.name, "--hosts", String(hosts), ...Object.entries(env).flatMap(([key, value]) => ["--env", `${key}=${value}`])]
    const url = yield* Effect.scoped(detached(name, flags, tell))
    yield* shown(name, url, hosts)
    yield* announced(name, Starter.running(name)?.previousContext ?? null)
    return yield* note(`next: gstacks network create dev; to end it: ${words.command("down", name)}`)
  }
  yield* hold(name, { hosts, env, tell }, lifeline, (url, previousContext) =>
    Effect.gen(function*() {
      yield* shown(name, url, hosts)
      yield* announced(name, previousContext)
      yield* note(lifeline ? "it ends with standard input" : "it ends with this command (Ctrl-C)")
    }))
})).pipe(
  Command.withDescription("Start the disposable cluster: a control plane, its Headscale, and an agent and a meshd per host"),
  Command.withExamples([{ command: "gstacks dev up" }, { command: "gstacks dev up --hosts 3 --detach" }])
)

const event = (event: WorldEvent) => void process.stdout.write(`${JSON.stringify(event)}\n`)

/** What `up --detach` leaves behind: the same, telling its progress as events. */
export const background = Command.make("background", { name, hosts, env }, Effect.fn(function*({ env, hosts, name }) {
  yield* hold(name, { hosts, env, tell: (text) => event({ _tag: "Step", text }) }, false, () => Effect.sync(() => event({ _tag: "Ready" }))).pipe(
    Effect.tapError((error) => Effect.sync(() => event({ _tag: "Failed", message: error.message, hint: error.problem.hint })))
  )
})).pipe(Command.unlisted)
