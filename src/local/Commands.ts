/** The commands of this machine that see a network as a sandbox would, one actor each. */
import { Context, Effect, Layer, Stream } from "effect"
import { localCommandMachine, type LocalCommandEvent, type NotServed } from "../actors/machines/localCommand.ts"
import { ActorSystem } from "../actors/runtime/ActorSystem.ts"
import * as Bridge from "../actors/runtime/bridge.ts"
import { machineChild } from "../actors/runtime/ChildSpec.ts"
import { DataPlane } from "../agent/dataplane/DataPlane.ts"
import { startTimeOf } from "../agent/sandboxes/process.ts"
import { makeId, SandboxId } from "../domain/Ids.ts"
import { type CommandRequest, type CommandStatus, MeshRefused } from "../protocol/local/MeshRpcs.ts"
import * as Address from "./addresses.ts"
import { endChild, statuses } from "./children.ts"
import { isoNow } from "./Joins/membership.ts"
import { Known } from "./Known.ts"
import type { RunningCommand } from "./plan.ts"

interface Command extends RunningCommand { readonly program: string; readonly since: string }

const enterPatience = "10 seconds"
const leavePatience = "5 seconds"
const cannotBeServed = (reason: string) => new MeshRefused({ code: "command-not-served", message: `the command's network cannot be served: ${reason}`, hint: "gstacks mesh status" })

export class Commands extends Context.Service<Commands, {
  /** Begins to serve the process's network namespace. */
  readonly start: (request: CommandRequest) => Effect.Effect<SandboxId, MeshRefused>
  /** Completes once it is served. */
  readonly served: (id: SandboxId) => Effect.Effect<void, MeshRefused>
  /** The command now, and after each change until it is served no more. */
  readonly changes: (id: SandboxId) => Stream.Stream<CommandStatus>
  readonly stop: (id: SandboxId) => Effect.Effect<void>
  readonly list: Effect.Effect<ReadonlyArray<CommandStatus>>
}>()("gstacks/local/Commands") {
  static readonly layer = Layer.effect(Commands, Effect.suspend(() => make()))
}

const make = Effect.fnUntraced(function*() {
  const actors = yield* ActorSystem
  const dataPlane = yield* DataPlane
  const known = yield* Known
  const bridge = yield* Bridge.make<never>()
  const commands = new Map<string, Command>()

  const enter = ({ id }: { readonly id: string }): Effect.Effect<void, NotServed> => Effect.gen(function*() {
    const command = commands.get(id)!
    known.putCommand(command)
    yield* dataPlane.enforce
    const served = yield* dataPlane.sandbox(command.id)
    if (served?.ok !== true) return yield* Effect.fail({ reason: served?.error ?? "meshd does not know it" })
  }).pipe(Effect.timeoutOrElse({
    duration: enterPatience,
    orElse: () => Effect.flatMap(dataPlane.problem, (problem) => Effect.fail({ reason: problem ?? "meshd does not answer" }))
  }))
  const leave = ({ id }: { readonly id: string }) => Effect.gen(function*() {
    known.dropCommand(commands.get(id)!.id)
    yield* Effect.timeoutOption(dataPlane.enforce, leavePatience)
  })
  const logic = localCommandMachine.provide({ actors: { enter: bridge.fromEffect(enter), leave: bridge.fromEffect(leave) } })

  const send = (id: string, event: LocalCommandEvent) => Effect.ignore(actors.send(Address.command(id), event))
  const sendAll = (event: LocalCommandEvent) => Effect.suspend(() => Effect.forEach([...commands.keys()], (id) => send(id, event), { discard: true }))
  yield* Effect.forkScoped(Stream.runForEach(dataPlane.events, ({ event }) =>
    event === "lost" ? sendAll({ type: "meshd.lost" }) : event === "connected" ? sendAll({ type: "meshd.ready" }) : Effect.void))

  const status = ({ id, network, pid, program, since }: Command) => Effect.gen(function*() {
    const actor = yield* Effect.option(actors.snapshot(Address.command(id)))
    const reason = actor._tag === "Some" ? actor.value.context["lastError"] : null
    return {
      id, network, pid, program, since, state: actor._tag === "Some" ? shownState(actor.value.state) : "left", reason: typeof reason === "string" ? reason : null
    } satisfies CommandStatus
  })

  const stop = (id: SandboxId) => Effect.andThen(endChild(actors, Address.commands, id, "left", leavePatience), Effect.sync(() => { commands.delete(id) }))

  return Commands.of({
    start: (request) => Effect.gen(function*() {
      for (const { id, pid } of [...commands.values()]) if (pid === request.pid) yield* stop(id) // its connection broke
      const startTime = startTimeOf(request.pid)
      if (startTime === undefined) return yield* new MeshRefused({ code: "command-gone", message: `there is no process ${request.pid} any more`, hint: "run it again" })
      const command: Command = { ...request, startTime, id: yield* makeId(SandboxId, "sbx"), since: yield* isoNow }
      commands.set(command.id, command)
      yield* Effect.orDie(Effect.flatMap(actors.supervisor(Address.commands), (supervisor) => supervisor.startChild(machineChild({
        id: command.id, logic, input: { id: command.id }, restart: "transient", shutdownMs: 2_000, stopEvent: { type: "stop" }, redact: ["lastError", "attempt"]
      }))))
      return command.id
    }),
    served: (id) => actors.waitFor(Address.command(id), (state) => state !== "entering").pipe(
      Effect.mapError(({ reason }) => cannotBeServed(reason)),
      Effect.flatMap(({ context, state }) => state === "inside" ? Effect.void : Effect.fail(cannotBeServed(typeof context["lastError"] === "string" ? context["lastError"] : "it was given up")))),
    changes: (id) => Stream.suspend(() => {
      const command = commands.get(id)
      return command === undefined ? Stream.empty : statuses(actors, Address.command(id), status(command), ({ state }) => state === "left")
    }),
    stop,
    list: Effect.suspend(() => Effect.forEach([...commands.values()], status))
  })
})

const shownState = (at: string): CommandStatus["state"] => {
  switch (at) {
    case "entering": case "inside": case "outside": return at
    default: return "left"
  }
}
