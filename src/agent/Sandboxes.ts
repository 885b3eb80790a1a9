/**
 * The built-in driver's sandboxes on this host. Each has a folder that says what it is and how it does, so that an agent
 * that starts finds all of them, running or ended; one that nobody wants any more is stopped and then forgotten, never the
 * other way round.
 */
import { Context, Effect, Layer, Option, Result, Schema, Semaphore, Stream } from "effect"
import { mkdir, readdir } from "node:fs/promises"
import { join } from "node:path"
import { sandboxMachine } from "../actors/machines/sandbox.ts"
import { ActorSystem } from "../actors/runtime/ActorSystem.ts"
import * as Bridge from "../actors/runtime/bridge.ts"
import { type ChildSpec, machineChild } from "../actors/runtime/ChildSpec.ts"
import type { ActorSnapshot } from "../actors/runtime/Registry.ts"
import { SandboxId } from "../domain/Ids.ts"
import { SandboxSpec, type SandboxState, type SandboxStatus } from "../domain/Sandbox.ts"
import { SandboxStartFailed, UnknownSandbox } from "../protocol/agent/AgentRpcs.ts"
import * as Address from "./addresses.ts"
import { Config } from "./Config.ts"
import { Control } from "./Control.ts"
import { readJson, remove, writeJson } from "./files.ts"
import { SandboxDriver } from "./sandboxes/SandboxDriver.ts"

export const Wanted = Schema.Struct({ id: SandboxId, name: Schema.String, spec: SandboxSpec })
export type Wanted = typeof Wanted.Type

export class Sandboxes extends Context.Service<Sandboxes, {
  /** Answers once its program runs with its network in force, or has ended already. */
  readonly start: (wanted: Wanted) => Effect.Effect<SandboxStatus, SandboxStartFailed>
  readonly stop: (id: SandboxId) => Effect.Effect<SandboxStatus, UnknownSandbox>
  readonly remove: (id: SandboxId) => Effect.Effect<void>
  /** Starts what is missing, stops what should not run, and removes what is not listed. */
  readonly reconcile: (desired: ReadonlyArray<Wanted & { readonly run: boolean }>) => Effect.Effect<void>
  readonly statuses: Effect.Effect<ReadonlyArray<SandboxStatus>>
  readonly find: (nameOrId: string) => Wanted | undefined
  readonly folder: (id: SandboxId) => string
  /** Those on disk, for the tree's start. */
  readonly children: () => ReadonlyArray<ChildSpec>
  /** Tells the control plane of every change, for ever. What happens while it is away it learns at the next attach. */
  readonly report: Effect.Effect<void>
  /** Tells it of all, as they are now: for what changed between its last word and this connection. */
  readonly reportAll: Effect.Effect<void>
}>()("gstacks/agent/Sandboxes") {
  static readonly layer = Layer.effect(Sandboxes, Effect.suspend(() => make()))
}

const make = Effect.fnUntraced(function*() {
  const actors = yield* ActorSystem
  const control = yield* Control
  const driver = yield* SandboxDriver
  const root = join((yield* Config).stateDir, "sandboxes")
  const folder = (id: SandboxId) => join(root, id)
  const spec = yield* sandboxSpecs(folder)
  const known = new Map<SandboxId, Wanted>()
  const turns = new Map<SandboxId, Semaphore.Semaphore>()
  const inTurn = (id: SandboxId) => {
    const turn = turns.get(id) ?? Semaphore.makeUnsafe(1)
    turns.set(id, turn)
    return turn.withPermit
  }

  yield* driver.sweep(root)
  for (const wanted of yield* load(root)) {
    known.set(wanted.id, wanted)
    yield* driver.adopt(wanted.id, folder(wanted.id))
  }

  const status = (id: SandboxId) => Effect.map(actors.snapshot(Address.sandbox(id)), statusOf)
  const settled = (id: SandboxId, states: ReadonlyArray<SandboxState>) => actors.waitFor(Address.sandbox(id), (state) => states.includes(stateOf(state))).pipe(Effect.map(statusOf))
  const unknown = (id: SandboxId) => () => new UnknownSandbox({ id })

  const start = (wanted: Wanted) => inTurn(wanted.id)(Effect.gen(function*() {
    const isNew = !known.has(wanted.id)
    if (isNew || known.get(wanted.id)?.name !== wanted.name) { // the file of an id never changes, but may have been damaged
      yield* writeJson(join(folder(wanted.id), "spec.json"), Wanted, wanted)
      known.set(wanted.id, wanted)
    }
    if (isNew) {
      yield* (yield* actors.supervisor(Address.sandboxes)).startChild(spec(wanted.id))
    }
    return yield* settled(wanted.id, ["running", "stopped", "failed"])
  })).pipe(
    Effect.mapError((error) => new SandboxStartFailed({ reason: error.message, hint: "see the agent's log" })),
    Effect.filterOrFail((now) => now.state !== "failed", (now) => new SandboxStartFailed({
      reason: now.reason ?? "it failed", hint: `see its output: gstacks sandbox logs ${wanted.name}`
    })))

  const stop = (id: SandboxId) => Effect.gen(function*() {
    if (!known.has(id)) return yield* new UnknownSandbox({ id })
    yield* Effect.ignore(actors.send(Address.sandbox(id), { type: "sandbox.stop" }))
    return yield* settled(id, ["stopped", "failed"]).pipe(Effect.mapError(unknown(id)))
  })

  const forget = (id: SandboxId) => Effect.gen(function*() {
    yield* Effect.ignore(stop(id))
    yield* inTurn(id)(Effect.gen(function*() {
      yield* actors.supervisor(Address.sandboxes).pipe(Effect.flatMap((supervisor) => supervisor.stopChild(id)), Effect.ignore)
      yield* remove(folder(id)).pipe(Effect.catch((error) => Effect.logWarning(error.message)))
      known.delete(id)
    }))
    turns.delete(id)
  })

  const reconcile = (desired: ReadonlyArray<Wanted & { readonly run: boolean }>) => {
    const listed = new Set(desired.map((wanted) => wanted.id))
    const works = [
      ...[...known.keys()].filter((id) => !listed.has(id)).map(forget),
      ...desired.map(({ run, ...wanted }) => run ? Effect.ignore(start(wanted)) : Effect.ignore(stop(wanted.id)))
    ]
    return Effect.forEach(works, (work) => work, { discard: true, concurrency: 8 })
  }

  const reporting = (yield* Semaphore.make(1)).withPermit
  /** One at a time and always the present state, so that the last word is the latest. */
  const tell = (id: SandboxId) => reporting(Effect.flatMap(status(id), (now) => control.call((client) => client.ReportSandbox({ status: now })))).pipe(Effect.ignore)

  return Sandboxes.of({
    start, stop, remove: forget, reconcile, folder,
    statuses: Effect.suspend(() => Effect.forEach(known.keys(), (id) => Effect.option(status(id)))).pipe(Effect.map((all) => all.flatMap(Option.toArray))),
    find: (nameOrId) => [...known.values()].find((wanted) => wanted.id === nameOrId) ?? [...known.values()].findLast((wanted) => wanted.name === nameOrId),
    children: () => [...known.keys()].map(spec),
    report: actors.changes(Address.sandboxes).pipe(
      Stream.filterMap((snapshot) => snapshot.machine === "sandbox" ? Result.succeed(statusOf(snapshot)) : Result.failVoid),
      Stream.changesWith((a, b) => a.id === b.id && a.state === b.state),
      Stream.runForEach(({ id }) => tell(id))),
    reportAll: Effect.suspend(() => Effect.forEach(known.keys(), tell, { discard: true }))
  })
})

const sandboxSpecs = Effect.fnUntraced(function*(folder: (id: SandboxId) => string) {
  const bridge = yield* Bridge.make<never>()
  const driver = yield* SandboxDriver
  type Named = { readonly id: SandboxId }
  const machine = sandboxMachine.provide({ actors: {
    find: bridge.fromEffect(({ id }: Named) => driver.find(id, folder(id))),
    launch: bridge.fromEffect(({ id }: Named) => readJson(join(folder(id), "spec.json"), Wanted).pipe(
      Effect.mapError((error) => ({ reason: error.message })),
      Effect.flatMap(Option.match({
        onNone: () => Effect.fail({ reason: "its spec is gone" }),
        onSome: ({ name, spec }) => driver.launch(id, folder(id), name, spec)
      })))),
    admit: bridge.fromEffect(({ id }: Named) => driver.admit(id, folder(id))),
    ended: bridge.fromEffect(({ id }: Named) => driver.ended(id, folder(id))),
    terminate: bridge.fromEffect(({ id }: Named) => driver.terminate(id, folder(id)))
  } })
  return (id: SandboxId): ChildSpec => machineChild({ id, logic: machine, input: { id }, restart: "transient", shutdownMs: 1000, redact: ["id", "exitCode", "reason"] })
})

/** One whose spec cannot be read is known too, by its id: it may run, and then somebody has to see to its end. */
const load = Effect.fnUntraced(function*(root: string) {
  yield* Effect.promise(() => mkdir(root, { recursive: true, mode: 0o700 }))
  const ids = (yield* Effect.promise(() => readdir(root))).filter(Schema.is(SandboxId))
  return yield* Effect.forEach(ids, (id) => readJson(join(root, id, "spec.json"), Wanted).pipe(
    Effect.catch((error) => Effect.as(Effect.logWarning(error.message), Option.none<Wanted>())),
    Effect.map(Option.getOrElse((): Wanted => ({ id, name: id, spec: { command: ["unknown"], env: {}, binds: [] } })))))
})

/** The machine's finer states, as owners see them. */
const stateOf = (state: unknown): SandboxState => {
  const name = typeof state === "string" ? state.split(".")[0] : Object.keys(state as object)[0]
  switch (name) {
    case "running": case "stopping": case "stopped": case "failed": return name
    case "abandoning": case "judging": return "stopping"
    default: return "preparing"
  }
}
const statusOf = (snapshot: ActorSnapshot): SandboxStatus => ({
  id: snapshot.context["id"] as SandboxId, state: stateOf(snapshot.state),
  exitCode: snapshot.context["exitCode"] as number | null, reason: snapshot.context["reason"] as string | null
})
