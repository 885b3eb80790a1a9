/**
 * Brings a cluster up and keeps it for as long as the scope is open: one starter per cluster, its world, a relay on 127.0.0.1, and the
 * CLI's context. Closing the scope ends all of it; the state folder stays.
 */
import { Effect } from "effect"
import { chmod, lstat, mkdir, readFile, rm } from "node:fs/promises"
import { dirname } from "node:path"
import * as Contexts from "../cli/Contexts.ts"
import { failed } from "../cli/Failure.ts"
import * as Cluster from "./Cluster.ts"
import * as relay from "./relay.ts"
import * as Starter from "./starter.ts"
import { startWorld } from "./startWorld.ts"
import * as worldFile from "./worldFile.ts"

export interface Options {
  readonly hosts: number
  readonly env: Readonly<Record<string, string>>
  /** The folder that has the bundles. */
  readonly bundles: string
  readonly tell: (text: string) => void
}

const refuse = (detail: string, hint: string) => failed("cluster-failed", "The cluster did not start", detail, hint)

/** /tmp is everybody's: the runtime folder must be ours alone. */
const makeRuntimeDir = (path: string) =>
  Effect.acquireRelease(Effect.tryPromise({
    try: async () => {
      await rm(path, { recursive: true, force: true })
      await mkdir(path, { mode: 0o700 })
      const made = await lstat(path)
      if (!made.isDirectory() || made.uid !== process.getuid?.()) throw new Error("it belongs to somebody else")
    },
    catch: (cause) => refuse(`the folder for sockets cannot be made: ${(cause as Error).message}`, `remove ${path}`)
  }), () => Effect.promise(() => rm(path, { recursive: true, force: true })))

const makeStateDir = (cluster: Cluster.Cluster) =>
  Effect.tryPromise({
    try: async () => {
      await mkdir(Cluster.logsDir(cluster), { recursive: true, mode: 0o700 })
      await chmod(cluster.stateDir, 0o700)
    },
    catch: (cause) => refuse(`the state folder cannot be made: ${(cause as Error).message}`, `check ${dirname(cluster.stateDir)}, or set XDG_STATE_HOME to another folder`)
  })

/** Context `dev` becomes the current one, and what was current before comes back at the end; a cluster with another name leaves it alone. */
const holdContext = (cluster: Cluster.Cluster, context: Contexts.Context, previous: string | null) =>
  Effect.acquireRelease(
    Effect.gen(function*() {
      const known = yield* Contexts.read
      const current = cluster.name === "dev" ? cluster.name : known.current
      yield* Contexts.write({ contexts: { ...known.contexts, [cluster.name]: context }, ...(current === undefined ? {} : { current }) })
    }),
    () =>
      Effect.gen(function*() {
        const { contexts: { [cluster.name]: _, ...contexts }, current } = yield* Contexts.read
        const next = current !== cluster.name ? current : previous !== null && previous in contexts ? previous : undefined
        yield* Contexts.write({ contexts, ...(next === undefined ? {} : { current: next }) })
      }).pipe(Effect.ignore)
  )

export const runCluster = Effect.fn("dev.runCluster")(function*(cluster: Cluster.Cluster, options: Options) {
  const { before, mine } = yield* Starter.claim(cluster, options.hosts)
  yield* worldFile.gone(worldFile.read(cluster), 10_000)
  yield* makeStateDir(cluster)
  yield* makeRuntimeDir(cluster.runtimeDir)

  const hosts = Cluster.hostNames(options.hosts)
  const worldEnds = yield* startWorld(cluster, {
    stateDir: cluster.stateDir, runtimeDir: cluster.runtimeDir, hosts, hide: [dirname(yield* Contexts.path)], bundles: options.bundles, env: options.env
  }, options.tell)

  const port = yield* relay.listen(Cluster.controlSocket(cluster), mine.port)
  const url = `http://127.0.0.1:${port}`
  const token = yield* Effect.promise(() => readFile(Cluster.adminTokenFile(cluster), "utf8"))
  const { current } = yield* Contexts.read
  const previousContext = current === cluster.name ? before?.previousContext ?? null : current ?? null
  yield* Starter.update(cluster, { ...mine, port, previousContext })
  yield* holdContext(cluster, {
    url, token: token.trim(), agentSockets: Object.fromEntries(hosts.map((host) => [host, Cluster.agentSocket(cluster, host)]))
  }, previousContext)
  yield* Starter.update(cluster, { ...mine, port, url, previousContext })
  return { url, previousContext, worldEnds }
})
