import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Queue, Result, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { assign, createActor, type CallbackActorLogic, type EventObject, type PromiseActorLogic, setup } from "xstate"
import { ActorSystem } from "../../../src/actors/runtime/ActorSystem.ts"
import * as Bridge from "../../../src/actors/runtime/bridge.ts"
import { machineChild } from "../../../src/actors/runtime/ChildSpec.ts"
import * as Supervisor from "../../../src/actors/runtime/Supervisor.ts"
import { assertAllReached, done } from "../../harness/machinePaths.ts"

class DialError extends Schema.TaggedError<DialError>()("DialError", { retryable: Schema.Boolean }) {}

class Net extends Context.Service<Net, {
  readonly dial: (peer: string) => Effect.Effect<string, DialError>
  readonly lines: (conn: string) => Stream.Stream<string, DialError>
}>()("gstacks/test/Net") {}

type Line = { type: "line"; text: string } | { type: "lost"; reason: string } | { type: "closed" }

const machine = setup({
  types: {
    context: {} as { peer: string; conn: string; lines: ReadonlyArray<string>; attempts: number },
    input: {} as { peer: string },
    events: {} as Line | { type: "leave" }
  },
  actors: {
    dial: {} as PromiseActorLogic<Result.Result<string, DialError>, { peer: string }>,
    read: {} as CallbackActorLogic<EventObject, { conn: string }>
  },
  delays: { backoff: ({ context }) => 1000 * 2 ** (context.attempts - 1) }
}).createMachine({
  id: "tunnel",
  initial: "dialling",
  context: ({ input }) => ({ peer: input.peer, conn: "", lines: [], attempts: 0 }),
  on: { leave: ".left" },
  states: {
    dialling: {
      invoke: {
        src: "dial",
        input: ({ context }) => ({ peer: context.peer }),
        onDone: [
          { guard: ({ event }) => Result.isSuccess(event.output), target: "up", actions: assign({ conn: ({ event }) => Result.getOrThrow(event.output), attempts: 0 }) },
          { guard: ({ event }) => Result.isFailure(event.output) && !event.output.failure.retryable, target: "failed" },
          { target: "backoff" }
        ]
      }
    },
    backoff: { entry: assign({ attempts: ({ context }) => context.attempts + 1 }), after: { backoff: "dialling" } },
    up: { invoke: { src: "read", input: ({ context }) => ({ conn: context.conn }) }, on: { line: { actions: assign({ lines: ({ context, event }) => [...context.lines, event.text] }) }, lost: "backoff", closed: "left" } },
    failed: {},
    left: { type: "final" }
  }
})

const wire = (bridge: Bridge.Bridge<Net>) =>
  machine.provide({
    actors: {
      dial: bridge.fromEffect(({ peer }: { peer: string }) => Net.use((net) => net.dial(peer))),
      read: bridge.fromStream(
        ({ conn }: { conn: string }) =>
          Stream.unwrap(Net.use((net) => Effect.succeed(net.lines(conn)))).pipe(Stream.map((text): Line => ({ type: "line", text }))),
        (cause): Line => ({ type: "lost", reason: Cause.pretty(cause) }),
        (): Line => ({ type: "closed" })
      )
    }
  })

const supervise = (logic: typeof machine) =>
  Supervisor.start({
    address: "root", strategy: "oneForOne", intensity: { restarts: 1, withinMs: 1000 },
    children: [machineChild({ id: "a", logic, input: { peer: "p" }, restart: "transient", shutdownMs: 5000, redact: ["lines", "attempts"] })]
  })

const is = (state: string) => ActorSystem.use((actors) => actors.waitFor("root/a", state))

const withNet = (net: Context.Service.Shape<typeof Net>) => Effect.provideService(Net, Net.of(net))

describe("bridge", () => {
  it("the sample machine is reached as a whole", () => {
    assertAllReached(machine, {
      input: { peer: "p" },
      events: [
        { type: "line", text: "x" }, { type: "lost", reason: "" }, { type: "closed" }, { type: "leave" },
        done("0.tunnel.dialling", Result.succeed("c")),
        done("0.tunnel.dialling", Result.fail(new DialError({ retryable: true }))),
        done("0.tunnel.dialling", Result.fail(new DialError({ retryable: false })))
      ],
      key: () => undefined
    })
  })

  it.effect("failures stay typed, and TestClock drives \"after\"", () => {
    let dials = 0
    return Effect.gen(function*() {
      yield* supervise(wire(yield* Bridge.make<Net>()))
      assert.strictEqual((yield* is("backoff")).context["attempts"], 1)
      yield* TestClock.adjust(999)
      assert.strictEqual(dials, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* is("backoff")).since, 1000)
      yield* TestClock.adjust(2000)
      yield* is("failed")
      assert.strictEqual(dials, 3)
    }).pipe(
      withNet({ dial: () => Effect.suspend(() => Effect.fail(new DialError({ retryable: ++dials < 3 }))), lines: () => Stream.empty }),
      Effect.provide(ActorSystem.layer)
    )
  })

  it.effect("a stream's elements are events, its failure is one, its end is one", () =>
    Effect.gen(function*() {
      const lines = yield* Queue.unbounded<string, DialError | Cause.Done>()
      const later = yield* Queue.unbounded<string, DialError | Cause.Done>()
      const queues = [lines, later]
      yield* Effect.gen(function*() {
        yield* supervise(wire(yield* Bridge.make<Net>()))
        yield* Queue.offerAll(lines, ["one", "two"])
        yield* ActorSystem.use((actors) => actors.waitFor("root/a", (_, context) => context.lines.length === 2))
        yield* Queue.fail(lines, new DialError({ retryable: true }))
        yield* is("backoff")
        yield* TestClock.adjust("1 second")
        yield* is("up")
        yield* Queue.end(later)
        assert.deepStrictEqual((yield* is("left")).context["lines"], ["one", "two"])
      }).pipe(withNet({ dial: () => Effect.succeed("c"), lines: () => Stream.fromQueue(queues.shift() ?? later) }))
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("leaving a state interrupts what it invoked", () => {
    const log: Array<string> = []
    return Effect.gen(function*() {
      yield* supervise(wire(yield* Bridge.make<Net>()))
      yield* is("up")
      yield* ActorSystem.use((actors) => actors.send("root/a", { type: "leave" }))
      yield* is("left")
      while (log.length === 0) yield* Effect.yieldNow
      assert.deepStrictEqual(log, ["closed c"])
    }).pipe(
      withNet({
        dial: () => Effect.succeed("c"),
        lines: (conn) => Stream.never.pipe(Stream.ensuring(Effect.sync(() => log.push(`closed ${conn}`))))
      }),
      Effect.provide(ActorSystem.layer)
    )
  })

  it.effect("of an actor without a supervisor waits for what it forked", () => {
    const log: Array<string> = []
    return Effect.gen(function*() {
      const scope = yield* Scope.make()
      const actor = createActor(wire(yield* Scope.provide(Bridge.make<Net>(), scope)), { input: { peer: "p" } }).start()
      while (actor.getSnapshot().value !== "up") yield* Effect.yieldNow
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(closing)
      assert.deepStrictEqual(log, ["closed"])
      actor.stop()
    }).pipe(withNet({
      dial: () => Effect.succeed("c"),
      lines: () => Stream.never.pipe(Stream.ensuring(Effect.andThen(Effect.sleep(500), Effect.sync(() => log.push("closed")))))
    }))
  })
})
