/** Whatever part of a machine throws, and whenever: the actor crashes, or the error is noted, and nobody else is touched. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { TestClock } from "effect/testing"
import { type AnyActorRef, type AnyStateMachine, createMachine, enqueueActions, fromCallback, fromObservable, fromPromise, fromTransition, type PromiseActorLogic, raise, sendParent, sendTo, setup, spawnChild } from "xstate"
import { ActorSystem } from "../../../src/actors/runtime/ActorSystem.ts"
import { machineChild } from "../../../src/actors/runtime/ChildSpec.ts"
import * as Supervisor from "../../../src/actors/runtime/Supervisor.ts"
import { uncaughtBy } from "./uncaught.ts"
import { restarted, send, snapshot, tree, waitFor, worker } from "./worker.ts"

const fail = (): never => {
  throw new Error("boom")
}
const on = (event: object) => ({ id: "m", on: { go: event } })
const entering = (state: object) => ({ id: "m", initial: "calm", states: { calm: { on: { go: "bad" } }, bad: state } })
const child = createMachine({ id: "child", on: { go: { actions: fail } } })
const hopeless = { subscribe: fail } as never

const crashing: Readonly<Record<string, AnyStateMachine>> = {
  "an exit action": createMachine({ id: "m", initial: "calm", states: { calm: { exit: fail, on: { go: "next" } }, next: {} } }),
  "a guard of always": createMachine(entering({ always: { guard: fail, target: "calm" } })),
  "a delay": createMachine(entering({ after: { slow: "calm" } }), { delays: { slow: fail } }),
  "a delay that does not exist, of a timer": createMachine(entering({ entry: raise({ type: "later" }, { delay: fail }) })),
  "what an invoked actor is given": createMachine(entering({ invoke: { src: fromPromise(() => Promise.resolve(1)), input: fail } })),
  "an invoked callback at its start": createMachine(entering({ invoke: { src: fromCallback(fail) } })),
  "an invoked callback at an event": createMachine({
    id: "m", invoke: { id: "c", src: fromCallback(({ receive }) => { receive(fail) }) }, on: { go: { actions: sendTo("c", { type: "x" }) } }
  }),
  "an invoked observable at its start": createMachine(entering({ invoke: { src: fromObservable(() => hopeless) } })),
  "an invoked transition function": createMachine({ id: "m", invoke: { id: "t", src: fromTransition((_, event: { type: string }) => event.type === "x" ? fail() : 0, 0) }, on: { go: { actions: sendTo("t", { type: "x" } as never) } } }),
  "an invoked actor that was not provided": setup({ actors: { dial: {} as PromiseActorLogic<number> } }).createMachine({ id: "m", on: { go: ".bad" }, initial: "calm", states: { calm: {}, bad: { invoke: { src: "dial" } } } }),
  "a spawned machine": createMachine({ id: "m", entry: spawnChild(child, { id: "c" }), on: { go: { actions: sendTo("c", { type: "go" }) } } }),
  "what an event is sent to": createMachine(on({ actions: sendTo((): string => fail(), { type: "x" }) })),
  "enqueued actions": createMachine(on({ actions: enqueueActions(fail) })),
  "parameters of an action": setup({ actions: { act: (_, __: number) => {} } }).createMachine({ id: "m", on: { go: { actions: { type: "act", params: fail } } } }),
  "the output": createMachine({ id: "m", initial: "calm", output: fail, states: { calm: { on: { go: "done" } }, done: { type: "final" } } })
}

const supervise = (logic: AnyStateMachine, restarts = 5) =>
  Supervisor.start({
    address: "root", strategy: "oneForOne", intensity: { restarts, withinMs: 10_000 },
    children: [machineChild({ id: "a", logic, restart: "permanent", shutdownMs: 100 }), worker("b")]
  })

const siblingLives = Effect.gen(function*() {
  yield* send("root/b", "work")
  yield* ActorSystem.use((actors) => actors.waitFor("root/b", (_, context) => context.count > 0))
  assert.strictEqual((yield* snapshot("root/b")).restarts, 0)
})

/** At `go`, and nobody else is touched. */
const crashes = (logic: AnyStateMachine, says = "") => Effect.gen(function*() {
  const uncaught = yield* uncaughtBy(Effect.gen(function*() {
    yield* supervise(logic)
    yield* send("root/a", "go")
    assert.include((yield* restarted("root/a", 1)).lastError, says)
    yield* siblingLives
  }))
  assert.deepStrictEqual(uncaught, [])
}).pipe(Effect.provide(ActorSystem.layer))

describe("the actor crashes and is restarted when there throws", () => {
  for (const [what, logic] of Object.entries(crashing)) it.effect(what, () => crashes(logic))
})

/** Loops that XState would run for ever, and with it the process. */
const spinning = createMachine({ id: "spinning", initial: "on", states: { on: { always: "off" }, off: { always: "on" } } })
const pong = fromTransition((back: AnyActorRef) => {
  back.send({ type: "go" })
  return back
}, ({ input }: { input: AnyActorRef }) => input)
const endless: Readonly<Record<string, { readonly logic: AnyStateMachine; readonly says: string }>> = {
  "an event that it sends to itself": { logic: createMachine(on({ actions: sendTo(({ self }) => self, { type: "go" }) })), says: "\"m\" does not come to rest: \"go\" led to more than 5000 events" },
  "an event that its action sends to itself": { logic: createMachine(on({ actions: ({ self }: { self: { send: (event: object) => void } }) => self.send({ type: "go" }) })), says: "led to more than 5000 events" },
  "an event that it raises": { logic: createMachine(on({ actions: raise({ type: "go" }) })), says: "more than 1000 microsteps" },
  "what it and an actor that it invoked send one another": {
    logic: createMachine({ id: "m", invoke: { id: "pong", src: createMachine({ id: "pong", on: { go: { actions: sendParent({ type: "go" }) } } }) }, on: { go: { actions: sendTo("pong", { type: "go" }) } } }),
    says: "led to more than 5000 events"
  },
  "what it and a transition function send one another": {
    logic: createMachine({ id: "m", invoke: { id: "pong", src: pong, input: ({ self }) => self }, on: { go: { actions: sendTo("pong", { type: "go" }) } } }),
    says: "led to more than 5000 events"
  },
  "what an invoked actor sends to itself": {
    logic: createMachine(entering({ invoke: { src: fromCallback(({ receive, self }) => { receive((event) => self.send(event)); self.send({ type: "x" }) }) } })), says: "\"go\" led to more than 5000 events"
  },
  "the transitions of a machine that it invoked": { logic: createMachine(entering({ invoke: { src: spinning } })), says: "more than 1000 microsteps" },
  "an invoked machine that ends at once, and is invoked again": {
    logic: createMachine(entering({ invoke: { src: createMachine({ id: "brief", initial: "done", states: { done: { type: "final" } } }), onDone: { target: "bad", reenter: true } } })), says: "led to more than 5000 events"
  },
  "a failure that it answers by the same again": {
    logic: createMachine({ id: "m", on: { go: { actions: [spawnChild(child, { id: "c" }), sendTo("c", { type: "go" })] }, "xstate.error.actor.c": { actions: raise({ type: "go" }) } } } as never), says: "led to more than 5000 events"
  }
}

it.effect("the actor crashes and is restarted when it is sent what cannot be looked at", () =>
  Effect.gen(function*() {
    yield* supervise(crashing["an exit action"]!)
    const poison = { get type(): string { return fail() } }
    yield* ActorSystem.use((actors) => actors.send("root/a", poison))
    assert.strictEqual((yield* restarted("root/a", 1)).lastError, "Error: boom")
    yield* siblingLives
  }).pipe(Effect.provide(ActorSystem.layer)))

describe("the actor crashes and is restarted when there is no end to", () => {
  for (const [what, { logic, says }] of Object.entries(endless)) it.effect(what, () => crashes(logic, says), 60_000)

  const atOnce = createMachine({ id: "m", entry: sendTo(({ self }) => self, { type: "x" }), on: { x: { actions: sendTo(({ self }) => self, { type: "x" }) } } })
  it.effect("what it does at its start; its supervisor gives up as after any crash", () =>
    Effect.gen(function*() {
      const failure = yield* Effect.flatMap(supervise(atOnce, 2), (root) => Effect.flip(root.failed))
      assert.strictEqual(failure.restarts, 2)
      assert.include(failure.reason, "\"xstate.init\" led to more than 5000 events")
    }).pipe(Effect.provide(ActorSystem.layer)), 60_000)

  it.effect("what its timer begins", () =>
    Effect.gen(function*() {
      yield* supervise(createMachine({ id: "m", after: { 500: { actions: sendTo(({ self }) => self, { type: "x" }) } }, on: { x: { actions: sendTo(({ self }) => self, { type: "x" }) } } }))
      yield* TestClock.adjust(500)
      assert.include((yield* restarted("root/a", 1)).lastError, "\"xstate.after.500.m\" led to more than 5000 events")
      yield* siblingLives
    }).pipe(Effect.provide(ActorSystem.layer)), 60_000)
})

describe("an actor that is stopped ends all the same when there throws", () => {
  const unsubscribing = { subscribe: () => ({ unsubscribe: fail }) } as never
  const stopping: Readonly<Record<string, AnyStateMachine>> = {
    "the cleanup of a callback": createMachine({ id: "m", invoke: { src: fromCallback(() => fail) } }),
    "the cleanup of a callback of a spawned machine": createMachine({ id: "m", entry: spawnChild(createMachine({ id: "c", invoke: { src: fromCallback(() => fail) } })) }),
    "the end of a subscription": createMachine({ id: "m", invoke: { src: fromObservable(() => unsubscribing) } }),
    "an exit action": createMachine({ id: "m", initial: "calm", exit: fail, states: { calm: { exit: fail } } })
  }
  for (const [what, logic] of Object.entries(stopping)) {
    it.effect(what, () =>
      Effect.gen(function*() {
        const uncaught = yield* uncaughtBy(Effect.gen(function*() {
          const scope = yield* Scope.make()
          const root = yield* Scope.provide(supervise(logic), scope)
          yield* waitFor("root", "running")
          yield* root.stopChild("a")
          assert.deepStrictEqual((yield* tree).map(({ address, status }) => `${address} ${status}`), ["root running", "root/b running"])
          yield* siblingLives
          yield* root.startChild(machineChild({ id: "a", logic, restart: "permanent", shutdownMs: 100 }))
          yield* TestClock.adjust(10)
          yield* Scope.close(scope, Exit.void)
          assert.deepStrictEqual(yield* tree, [])
        }))
        assert.deepStrictEqual(uncaught, [])
      }).pipe(Effect.provide(ActorSystem.layer)))
  }

  it.effect("the cleanup of a callback whose state is left: a crash", () =>
    crashes(createMachine({ id: "m", initial: "calm", states: { calm: { invoke: { src: fromCallback(() => fail) }, on: { go: "next" } }, next: {} } })))
})
