/**
 * A small machine that can be made to do everything a supervisor must cope with, and the specs and
 * shorthands that the runtime's tests share.
 */
import { Effect, Result } from "effect"
import { assign, type CallbackActorLogic, type EventObject, fromCallback, fromPromise, type PromiseActorLogic, setup } from "xstate"
import { machineChild, type MachineOptions } from "../../../src/actors/runtime/ChildSpec.ts"
import type { ActorSnapshot, ActorStatus } from "../../../src/actors/runtime/Registry.ts"
import { ActorSystem } from "../../../src/actors/runtime/ActorSystem.ts"

export const workerMachine = setup({
  types: {
    context: {} as { name: string; secret: string; count: number },
    input: {} as { name: string },
    events: {} as
      | { type: "work" }
      | { type: "done" }
      | { type: "leave" }
      | { type: "left" }
      | { type: "invoke" }
      | { type: "stream" }
      | { type: "crash.action" }
      | { type: "crash.guard" }
      | { type: "crash.assign" }
      | { type: "subscribe" }
      | { type: "loop" }
  },
  actors: {
    job: fromPromise(() => Promise.resolve(Result.succeed("done"))) as PromiseActorLogic<Result.Result<string, string>, { name: string }>,
    feed: fromCallback(() => {}) as CallbackActorLogic<EventObject, { name: string }>
  },
  actions: {
    explode: () => {
      throw new Error("boom in an action")
    }
  },
  guards: {
    explode: () => {
      throw new Error("boom in a guard")
    }
  }
}).createMachine({
  id: "worker",
  initial: "idle",
  context: ({ input }) => ({ name: input.name, secret: "do not show", count: 0 }),
  output: ({ context }) => ({ count: context.count }),
  on: {
    work: { actions: assign({ count: ({ context }) => context.count + 1 }) },
    done: ".finished",
    leave: ".leaving",
    "crash.action": { actions: "explode" },
    "crash.guard": { guard: "explode", target: ".idle" },
    "crash.assign": { actions: assign({ count: () => { throw new Error("boom in an assign") } }) },
    loop: ".spinning"
  },
  states: {
    idle: { on: { invoke: "busy", stream: "fed" } },
    busy: {
      invoke: { src: "job", input: ({ context }) => ({ name: context.name }), onDone: "idle" },
      after: { 30_000: "idle" }
    },
    fed: { invoke: { src: "feed", input: ({ context }) => ({ name: context.name }) } },
    leaving: { on: { left: "finished" }, after: { 500: "finished" } },
    spinning: { always: "spinningOn" },
    spinningOn: { always: "spinning" },
    finished: { type: "final" }
  }
})

type Options = MachineOptions<typeof workerMachine>

export const worker = (id: string, options: Partial<Options> = {}) =>
  machineChild({ id, logic: workerMachine, input: { name: id }, restart: "permanent", shutdownMs: 1000, redact: ["name", "count"], ...options })

export const send = (address: string, type: string) => ActorSystem.use((actors) => actors.send(address, { type }))
export const snapshot = (address: string) => ActorSystem.use((actors) => actors.snapshot(address))
export const waitFor = (address: string, state: string) => ActorSystem.use((actors) => actors.waitFor(address, state))
export const tree = ActorSystem.use((actors) => actors.tree)

/** The kinds of the journal's entries of one address, without its handled events. */
export const history = (address: string) =>
  ActorSystem.use((actors) =>
    Effect.sync(() =>
      actors.journal.entries().filter((entry) => entry.address === address && entry.kind !== "event").map((entry) => entry.kind)))

/** The journalled details of one kind. */
export const details = (address: string, kind: string) =>
  ActorSystem.use((actors) =>
    Effect.sync(() => actors.journal.entries(address).filter((entry) => entry.kind === kind).map((entry) => entry.detail ?? "")))

/** Looks again, letting every other fiber run in between, until an actor is as it should be. */
const look = (address: string, until: (actor: ActorSnapshot) => boolean) =>
  ActorSystem.use((actors) =>
    Effect.gen(function*() {
      while (true) {
        const actor = yield* actors.snapshot(address)
        if (until(actor)) return actor
        yield* Effect.yieldNow
      }
    }))

/** Waits until an actor has been restarted so often and runs. */
export const restarted = (address: string, times: number) =>
  look(address, (actor) => actor.restarts >= times && actor.status === "running")

export const waitForStatus = (address: string, status: ActorStatus) => look(address, (actor) => actor.status === status)
