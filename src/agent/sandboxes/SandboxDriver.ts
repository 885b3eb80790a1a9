/**
 * The steps of a sandbox's life over its shim, for the machine `sandbox`. A program is let go only when meshd serves its
 * namespace; what runs is in the agent's knowledge for exactly as long as it runs.
 */
import { Context, Effect, Layer } from "effect"
import { existsSync } from "node:fs"
import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import type { Found, SandboxEnd, SandboxProblem } from "../../actors/machines/sandbox.ts"
import type { SandboxId } from "../../domain/Ids.ts"
import type { SandboxSpec } from "../../domain/Sandbox.ts"
import { Config } from "../Config.ts"
import { DataPlane } from "../dataplane/DataPlane.ts"
import { type FileTrouble, writeAtomic } from "../files.ts"
import { Knowledge } from "../Knowledge.ts"
import { makeTurns } from "../turns.ts"
import { bwrapCommand } from "./bwrap.ts"
import { bindProblem, checkedBind, hiddenPaths, replaceFiles, secretFolders } from "./hostFiles.ts"
import { endOrphans, endRemains, endSandbox } from "./orphans.ts"
import { systemCallFilter } from "./systemCalls.ts"
import { awaitChild, awaitExit, awaitProgram, command, readChild, readEnd, readShim, startShim } from "./Shim.ts"

export class SandboxDriver extends Context.Service<SandboxDriver, {
  /** At the agent's start, first of all: ends what runs below `root` and no living shim of a folder there answers for. */
  readonly sweep: (root: string) => Effect.Effect<void>
  /** At the agent's start, before anything is planned: what runs is known again. */
  readonly adopt: (id: SandboxId, folder: string) => Effect.Effect<void>
  readonly find: (id: SandboxId, folder: string) => Effect.Effect<Found>
  readonly launch: (id: SandboxId, folder: string, name: string, spec: SandboxSpec) => Effect.Effect<void, SandboxProblem>
  readonly admit: (id: SandboxId, folder: string) => Effect.Effect<void, SandboxProblem>
  readonly ended: (id: SandboxId, folder: string) => Effect.Effect<SandboxEnd>
  readonly terminate: (id: SandboxId, folder: string) => Effect.Effect<SandboxEnd>
}>()("gstacks/agent/SandboxDriver") {
  static readonly layer = Layer.effect(SandboxDriver, Effect.suspend(() => make()))
}

const startTimeoutMs = 10_000
/** The shim itself kills after 10 s: one that has not done so hangs. */
const stopTimeoutMs = 15_000
const marker = "released"
const lost: SandboxEnd = { exitCode: null, reason: "it ended with its shim: the host restarted, or somebody killed it" }

const make = Effect.fnUntraced(function*() {
  const config = yield* Config
  const dataPlane = yield* DataPlane
  const knowledge = yield* Knowledge
  const secret = secretFolders(config)
  const problem = (error: { readonly message: string }): SandboxProblem => ({ reason: error.message })
  /** A sandbox is not terminated while its shim is being started: that would miss it. */
  const inTurn = makeTurns<SandboxId>()
  const isReleased = (folder: string) => existsSync(join(folder, marker))

  /** Files that cannot be read say nothing about a process: the sandbox counts as lost, and `terminate` sees to it. */
  const look = (id: SandboxId, folder: string): Effect.Effect<Found> => Effect.gen(function*() {
    const end = yield* readEnd(folder)
    if (end !== undefined) {
      knowledge.dropRunning(id) // it may have ended since it was adopted
      if (end.exit !== undefined) return { kind: "ended", end: { exitCode: end.exit.code, reason: null } } as const
      if ((yield* readShim(folder)) === undefined) return { kind: "nothing" } as const
      yield* endRemains(folder)
      return { kind: "ended", end: lost } as const
    }
    const child = yield* readChild(folder)
    if (child !== undefined) knowledge.putRunning({ id, ...child })
    return { kind: child !== undefined && isReleased(folder) ? "running" : "held" } as const
  }).pipe(Effect.catch((error: FileTrouble) => Effect.as(Effect.logWarning(error.message), { kind: "ended", end: { exitCode: null, reason: error.message } } as const)))

  /**
   * A shim that was killed can leave a sandbox behind: until bubblewrap's last step nothing ends that with it. One that tells of the end
   * does so when the program has ended, a moment before the sandbox.
   */
  const end = (id: SandboxId, folder: string): Effect.Effect<SandboxEnd> => awaitExit(folder).pipe(
    Effect.flatMap((exit) => exit === undefined ? Effect.as(endRemains(folder), lost) : Effect.as(endSandbox(folder), { exitCode: exit.code, reason: null })),
    Effect.catch((error) => Effect.succeed({ exitCode: null, reason: error.message })),
    Effect.tap(() => Effect.sync(() => knowledge.dropRunning(id))))

  return SandboxDriver.of({
    sweep: endOrphans,
    adopt: (id, folder) => Effect.asVoid(look(id, folder)),
    find: look,
    launch: (id, folder, name, spec) => Effect.gen(function*() {
      const hidden = hiddenPaths(config)
      for (const bind of spec.binds) {
        const reason = bindProblem(bind, secret, hidden)
        if (reason !== undefined) return yield* Effect.fail({ reason })
      }
      yield* Effect.promise(() => mkdir(folder, { recursive: true, mode: 0o700 }))
      const replaced = yield* replaceFiles(folder, name, hidden)
      const filter = join(folder, "system-calls.bpf")
      yield* writeAtomic(filter, systemCallFilter())
      yield* inTurn(id)(Effect.uninterruptible(startShim(config.shim, folder, bwrapCommand({ name, spec: { ...spec, binds: spec.binds.map(checkedBind) }, ...hidden, replaced, filter }))))
    }).pipe(Effect.mapError((error) => "reason" in error ? error : problem(error))),
    admit: (id, folder) => Effect.gen(function*() {
      const child = yield* awaitChild(folder).pipe(Effect.mapError(problem))
      knowledge.putRunning({ id, ...child })
      yield* dataPlane.enforce
      const served = yield* dataPlane.sandbox(id)
      if (served?.ok !== true) return yield* Effect.fail({ reason: `its network could not be set up: ${served?.error ?? "meshd does not know it"}` })
      yield* command(folder, "release").pipe(Effect.mapError(problem))
      yield* awaitProgram(folder, child).pipe(Effect.mapError(problem))
      yield* writeAtomic(join(folder, marker), "").pipe(Effect.mapError(problem))
    }).pipe(Effect.timeoutOrElse({
      duration: startTimeoutMs,
      orElse: () => Effect.flatMap(dataPlane.problem, (reason) => Effect.fail({ reason: `it was not ready within ${startTimeoutMs / 1000} s: ${reason ?? "bubblewrap did not report its child"}` }))
    })),
    ended: end,
    terminate: (id, folder) => Effect.gen(function*() {
      const shim = yield* readShim(folder).pipe(Effect.orElseSucceed(() => undefined))
      if (shim === undefined) return { exitCode: null, reason: "it never ran" }
      yield* Effect.ignore(command(folder, "term")).pipe(Effect.timeoutOption(stopTimeoutMs))
      return yield* Effect.raceFirst(end(id, folder), Effect.andThen(Effect.andThen(Effect.sleep(stopTimeoutMs), endRemains(folder)), Effect.never))
    }).pipe(inTurn(id))
  })
})
