/**
 * The built-in driver's sandboxes on this host. Each has a folder that says what it is and how it does, so that an agent
 * that starts finds all of them, running or ended; one that nobody wants any more is stopped and then forgotten, never the
 * other way round.
 */
import { Context, Effect, Layer, Option, Result, Semaphore, Stream } from "effect"
import { join } from "node:path"
import { sandboxMachine, type Wanted, wantedState } from "../actors/machines/sandbox.ts"
import { ActorSystem } from "../actors/runtime/ActorSystem.ts"
import * as Bridge from "../actors/runtime/bridge.ts"
import { type ChildSpec, machineChild } from "../actors/runtime/ChildSpec.ts"
import type { ActorSnapshot } from "../actors/runtime/Registry.ts"
import { SandboxId } from "../domain/Ids.ts"
import { type SandboxState, type SandboxStatus, unknownToAgent } from "../domain/Sandbox.ts"
import { SandboxStartFailed, UnknownSandbox } from "../protocol/agent/AgentRpcs.ts"
import * as Address from "./addresses.ts"
import { Config } from "./Config.ts"
import { Control, Unanswered, untilStored } from "./Control.ts"
import { DataPlane } from "./dataplane/DataPlane.ts"
import { idsIn, load, orDropped, remove, store } from "./files.ts"
import { Knowledge } from "./Knowledge.ts"
import { SandboxDriver } from "./sandboxes/SandboxDriver.ts"
import { makeTurns } from "./turns.ts"

export class Sandboxes extends Context.Service<Sandboxes, {
  /** Answers once its program runs with its network in force, or has ended already. */
  readonly start: (wanted: Wanted) => Effect.Effect<SandboxStatus, SandboxStartFailed>
  readonly stop: (id: SandboxId) => Effect.Effect<SandboxStatus, UnknownSandbox>
  readonly remove: (id: SandboxId) => Effect.Effect<void>
  /** Starts what is missing, stops what should not run, and removes what is not listed; false when something that ought to run could not be written down. */
  readonly reconcile: <E, R>(ask: Effect.Effect<ReadonlyArray<Wanted & { readonly run: boolean }>, E, R>) => Effect.Effect<boolean, E, R>
  readonly statuses: Effect.Effect<ReadonlyArray<SandboxStatus>>
  readonly find: (nameOrId: string) => Wanted | undefined
  readonly folder: (id: SandboxId) => string
  /** Those on disk, for the tree's start. */
  readonly children: () => ReadonlyArray<ChildSpec>
  /** Tells the control plane of every change, for ever. What happens while it is away it learns at the next attach. */
  readonly report: Effect.Effect<void>
  /** Tells it of all, as they are now: for what changed between its last word and this connection. */
  readonly reportAll: Effect.Effect<void, Unanswered>
}>()("gstacks/agent/Sandboxes") {
  static readonly layer = Layer.effect(Sandboxes, Effect.suspend(() => make()))
}

/** A meshd that is away carries nothing either. */
const cutOffWithin = "2 seconds"

const make = Effect.fnUntraced(function*() {
  const actors = yield* ActorSystem
  const control = yield* Control
  const dataPlane = yield* DataPlane
  const knowledge = yield* Knowledge
  const driver = yield* SandboxDriver
  const root = join((yield* Config).stateDir, "sandboxes")
  const folder = (id: SandboxId) => join(root, id)
  const spec = yield* sandboxSpecs(folder)
  const known = new Map<SandboxId, Wanted>()
  const inTurn = makeTurns<SandboxId>()

  yield* driver.sweep(root)
  for (const wanted of yield* loadAll(root)) {
    known.set(wanted.id, wanted)
    yield* driver.adopt(wanted.id, folder(wanted.id))
  }

  const status = (id: SandboxId) => Effect.map(actors.snapshot(Address.sandbox(id)), statusOf)
  const settled = (id: SandboxId, states: ReadonlyArray<SandboxState>) => actors.waitFor(Address.sandbox(id), (state) => states.includes(stateOf(state))).pipe(Effect.map(statusOf))

  /** On disk and supervised, or neither: what is half known nobody would ever end. */
  const adopt = (wanted: Wanted) => inTurn(wanted.id)(Effect.gen(function*() {
    const isNew = !known.has(wanted.id)
    if (isNew || known.get(wanted.id)?.name !== wanted.name) { // the file of an id never changes, but may have been damaged
      yield* store(join(folder(wanted.id), "spec.json"), wantedState, wanted)
      known.set(wanted.id, wanted)
    }
    if (isNew) yield* (yield* actors.supervisor(Address.sandboxes)).startChild(spec(wanted.id))
  }).pipe(Effect.uninterruptible))

  const start = (wanted: Wanted) => adopt(wanted).pipe(
    Effect.andThen(settled(wanted.id, ["running", "stopped", "failed"])),
    Effect.mapError((error) => new SandboxStartFailed({ reason: error.message, hint: "see the agent's log" })),
    Effect.filterOrFail((now) => now.state !== "failed", (now) => new SandboxStartFailed({
      reason: now.reason ?? "it failed", hint: `see its output: gstacks sandbox logs ${wanted.name}`
    })))

  const end = (id: SandboxId) => Effect.gen(function*() {
    yield* Effect.ignore(actors.send(Address.sandbox(id), { type: "sandbox.stop" }))
    return yield* settled(id, ["stopped", "failed"])
  })

  /** After a start that came first: that one may not be known yet. */
  const stop = (id: SandboxId) => inTurn(id)(Effect.suspend(() => known.has(id) ? Effect.void : Effect.fail(new UnknownSandbox({ id })))).pipe(
    Effect.andThen(end(id)), Effect.mapError(() => new UnknownSandbox({ id })))

  /** Its streams are broken off before its programs end: their kernel would give what they were sending a clean end. */
  const cutOff = (id: SandboxId) => Effect.sync(() => knowledge.dropRunning(id)).pipe(Effect.andThen(dataPlane.enforce), Effect.timeoutOption(cutOffWithin))

  const forget = (id: SandboxId) => inTurn(id)(Effect.gen(function*() {
    yield* cutOff(id)
    yield* Effect.ignore(end(id))
    yield* actors.supervisor(Address.sandboxes).pipe(Effect.flatMap((supervisor) => supervisor.stopChild(id)), Effect.ignore)
    yield* remove(folder(id)).pipe(Effect.catch((error) => Effect.logWarning(error.message)))
    known.delete(id)
  }))

  const reconcile = <E, R>(ask: Effect.Effect<ReadonlyArray<Wanted & { readonly run: boolean }>, E, R>) => Effect.gen(function*() {
    const before = [...known.keys()] // one that is started meanwhile may be missing in the answer
    const desired = yield* ask
    const listed = new Set(desired.map((wanted) => wanted.id))
    const works = [
      ...before.filter((id) => !listed.has(id)).map(forget),
      ...desired.map(({ run, ...wanted }) => run ? Effect.ignore(start(wanted)) : Effect.catchTag(stop(wanted.id), "UnknownSandbox", () => known.has(wanted.id) ? Effect.void : disown(wanted.id)))
    ]
    yield* Effect.forEach(works, (work) => work, { discard: true, concurrency: 8 })
    return desired.every(({ id, run }) => !run || known.has(id))
  })

  const reporting = (yield* Semaphore.make(1)).withPermit
  /** One at a time and always the present state, so that the last word is the latest. Of one that is gone on either side there is nothing to tell, and a broken connection says so itself. */
  const tell = (id: SandboxId) => reporting(untilStored(Effect.flatMap(status(id), (now) => control.call((client) => client.ReportSandbox({ status: now }))))).pipe(
    Effect.catch((error) => error instanceof Unanswered ? Effect.fail(error) : Effect.void))

  /** Nobody else can say that it does not run. */
  const disown = (id: SandboxId) => untilStored(control.call((client) => client.ReportSandbox({ status: unknownToAgent(id) }))).pipe(Effect.ignore)

  return Sandboxes.of({
    start, stop, remove: forget, reconcile, folder,
    statuses: Effect.suspend(() => Effect.forEach(known.keys(), (id) => Effect.option(status(id)))).pipe(Effect.map((all) => all.flatMap(Option.toArray))),
    find: (nameOrId) => [...known.values()].find((wanted) => wanted.id === nameOrId) ?? [...known.values()].findLast((wanted) => wanted.name === nameOrId),
    children: () => [...known.keys()].map(spec),
    report: actors.changes(Address.sandboxes).pipe(
      Stream.filterMap((snapshot) => snapshot.machine === "sandbox" ? Result.succeed(statusOf(snapshot)) : Result.failVoid),
      Stream.changesWith((a, b) => a.id === b.id && a.state === b.state),
      Stream.runForEach(({ id }) => tell(id).pipe(Effect.eventually, Effect.ignoreCause({ log: "Warn", message: `the control plane could not be told of ${id}` })))),
    reportAll: Effect.suspend(() => Effect.forEach(known.keys(), tell, { discard: true }))
  })
})

const sandboxSpecs = Effect.fnUntraced(function*(folder: (id: SandboxId) => string) {
  const bridge = yield* Bridge.make<never>()
  const driver = yield* SandboxDriver
  type Named = { readonly id: SandboxId }
  const machine = sandboxMachine.provide({ actors: {
    find: bridge.fromEffect(({ id }: Named) => driver.find(id, folder(id))),
    launch: bridge.fromEffect(({ id }: Named) => load(join(folder(id), "spec.json"), wantedState).pipe(
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
const loadAll = Effect.fnUntraced(function*(root: string) {
  return yield* Effect.forEach(yield* idsIn(root, SandboxId), (id) => orDropped(load(join(root, id, "spec.json"), wantedState)).pipe(
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
