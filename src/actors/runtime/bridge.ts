/**
 * Lets pure machines invoke Effects and Streams. Failures stay typed (a Result as output), leaving a
 * state interrupts what it invoked, and only a defect reaches `onError`; without one it is a crash.
 */
import { Cause, Effect, Exit, type Fiber, FiberSet, Result, type Scope, Stream } from "effect"
import {
  type CallbackActorLogic,
  type EventObject,
  fromCallback,
  fromPromise,
  type PromiseActorLogic
} from "xstate"
import { invocationsOf, type XStateSystem } from "./Invocations.ts"

export interface Bridge<R> {
  /** `onDone` gets `event.output`, a Result; `onError` gets defects only. */
  readonly fromEffect: <A, E, I = void>(
    run: (input: I) => Effect.Effect<A, E, R>
  ) => PromiseActorLogic<Result.Result<A, E>, I>
  /** Each element is an event for the machine. A failure or a defect becomes one last event, and so may the end. */
  readonly fromStream: <Event extends EventObject, E, I = void>(
    run: (input: I) => Stream.Stream<Event, E, R>,
    onFailure: (cause: Cause.Cause<E>) => Event,
    onEnd?: () => Event
  ) => CallbackActorLogic<EventObject, I & {}>
}

/** Make it in the scope in which the supervisor is started, and before: the tree stops first. */
export const make = Effect.fnUntraced(function*<R = never>(): Effect.fn.Return<Bridge<R>, never, R | Scope.Scope> {
  const runSupervised = Effect.runForkWith(yield* Effect.context<R>())
  const runAlone = yield* FiberSet.runtime(yield* FiberSet.make<any, any>())<R>()

  // What a supervised machine invokes ends with it, within its deadline. Only fibers of actors that
  // run without a supervisor are the bridge's: its scope waits for them, however long they take.
  const fork = <A, E>(system: XStateSystem, effect: Effect.Effect<A, E, R>): Fiber.Fiber<A, E> => {
    const invocations = invocationsOf(system)
    if (invocations === undefined) return runAlone(effect)
    const fiber = runSupervised(effect)
    invocations.add(fiber)
    return fiber
  }

  const fromEffect: Bridge<R>["fromEffect"] = <A, E, I>(run: (input: I) => Effect.Effect<A, E, R>) =>
    fromPromise<Result.Result<A, E>, I>(({ input, signal, system }) =>
      new Promise((resolve, reject) => {
        const fiber = fork(system, Effect.result(Effect.suspend(() => run(input))))
        signal.addEventListener("abort", () => fiber.interruptUnsafe(), { once: true })
        fiber.addObserver((exit) => Exit.isSuccess(exit) ? resolve(exit.value) : reject(Cause.squash(exit.cause)))
      })
    )

  const fromStream: Bridge<R>["fromStream"] = (run, onFailure, onEnd) =>
    fromCallback(({ input, sendBack, system }) => {
      const fiber = fork(
        system,
        Stream.runForEach(Stream.suspend(() => run(input as never)), (event) => Effect.sync(() => sendBack(event))).pipe(
          Effect.andThen(Effect.sync(() => {
            if (onEnd !== undefined) sendBack(onEnd())
          })),
          Effect.catchCause((cause) =>
            Cause.hasInterruptsOnly(cause) ? Effect.failCause(cause) : Effect.sync(() => sendBack(onFailure(cause))))
        )
      )
      return () => fiber.interruptUnsafe()
    })

  return { fromEffect, fromStream }
})
