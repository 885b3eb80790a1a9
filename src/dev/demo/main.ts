/**
 * `npm run demo`: a cluster of its own, named demo, whose state is new each time, so that a user's cluster `dev` is never touched; the
 * README's story in it; then it stays up until Ctrl-C. With --once it ends there, with 0 when the story went as told.
 */
import { Deferred, Effect, Exit, Fiber } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { dirname, join } from "node:path"
import { named } from "../Cluster.ts"
import * as Starter from "../starter.ts"
import { oneIsGone, upToNpm } from "./ancestors.ts"
import { story, StoryBroken } from "./story.ts"
import { say, terminal } from "./terminal.ts"

const root = dirname(dirname(process.argv[1] ?? ""))
const gstacks = join(root, "bin/gstacks")
const once = process.argv.slice(2).includes("--once")
const cluster = named("demo")
const shell = terminal(gstacks, { ...process.env, GSTACKS_CONTEXT: cluster.name })

const ended = (child: ChildProcess) =>
  Effect.callback<number>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.succeed(child.exitCode ?? 1))
    child.once("exit", (code) => resume(Effect.succeed(code ?? 1)))
  })

/** `dev up` in the foreground, tied to us by its standard input: it ends when we do, however that happens. */
const startCluster = Effect.gen(function*() {
  yield* shell.ask("dev", "down", "--name", cluster.name, "--purge")
  yield* say("$ gstacks dev up --name demo")
  const up = yield* Deferred.make<void, StoryBroken>()
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(gstacks, ["dev", "up", "--name", cluster.name, "--lifeline"], { detached: true, stdio: ["pipe", "pipe", "inherit"] })),
    (child) => Effect.sync(() => child.stdin.end()).pipe(Effect.andThen(ended(child)))
  )
  child.stdin.on("error", () => undefined)
  child.stdout.on("data", (chunk: Buffer) => {
    process.stdout.write(chunk)
    Deferred.doneUnsafe(up, Effect.void)
  })
  const end = ended(child).pipe(Effect.flatMap((code) => Effect.fail(new StoryBroken({ message: `the cluster ended with exit code ${code}` }))))
  yield* Effect.raceFirst(Deferred.await(up), end)
  return end
})

const whatToTry = `
The cluster stays up until Ctrl-C. In another terminal:

  export PATH="${join(root, "bin")}:$PATH" GSTACKS_CONTEXT=demo
  gstacks network show dev
  gstacks network policy allow dev --from any --to api --port 8080
  gstacks sandbox exec web -- curl http://api.dev.gstacks:8080
  gstacks network test dev sandbox:web api:8080
  gstacks debug actors
  gstacks dev status --name demo
  gstacks dev exec --name demo host-1 -- tcpdump -ni eth0`

const demo = Effect.scoped(Effect.gen(function*() {
  const other = Starter.running(cluster)
  if (other !== null) return yield* new StoryBroken({ message: `a demo is running already, as process ${other.pid}; end it first: gstacks dev down --name demo` })
  const began = performance.now()
  const clusterEnds = yield* startCluster
  yield* Effect.raceFirst(story(shell, process.execPath), clusterEnds)
  yield* say(`\nThe story went as told, in ${((performance.now() - began) / 1000).toFixed(1)} s.`)
  if (once) return
  yield* say(whatToTry)
  return yield* clusterEnds
}))

const watched = Effect.raceFirst(demo, oneIsGone(upToNpm()).pipe(Effect.andThen(Effect.interrupt)))
const fiber = Effect.runFork(watched.pipe(
  Effect.tapError((error) => Effect.sync(() => process.stderr.write(`error: ${error.message}\nnext: read the logs in ${cluster.stateDir}/logs\n`)))
))
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => Effect.runFork(Fiber.interrupt(fiber)))
process.stdout.on("error", () => Effect.runFork(Fiber.interrupt(fiber)))

const exit = await Effect.runPromise(Fiber.await(fiber))
process.exit(Exit.isSuccess(exit) ? 0 : Exit.hasInterrupts(exit) ? 130 : 1)
