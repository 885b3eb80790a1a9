/**
 * One supervised machine: an XState actor behind a bounded mailbox, as a process that ends with an
 * outcome. Promises that the Effects it invoked are interrupted and their finalizers awaited before
 * the process counts as ended, for at most the child's `shutdownMs`.
 *
 * Events from outside wait in the mailbox and are handled one by one by the process's own fiber, so
 * a sender never runs the receiver's code. What the machine causes itself (timers, results of what
 * it invoked) does not pass through the mailbox: it is bounded by what the machine invokes. A full
 * mailbox refuses the event; a mailbox is lost with its process.
 */
import { Cause, Effect, Exit, Fiber, Queue } from "effect"
import { type AnyMachineSnapshot, createActor, type EventObject, type InspectionEvent } from "xstate"
import type { Host } from "./ActorSystem.ts"
import type { MachineSpec } from "./ChildSpec.ts"
import { boundMicrosteps, containingInspector, stopInvoked } from "./containment.ts"
import { effectClock } from "./effectClock.ts"
import { within } from "./deadline.ts"
import { errorText } from "./errorText.ts"
import { attachInvocations, Invocations } from "./invocations.ts"
import type { Outcome, Process } from "./Process.ts"
import type { ActorEntry, Inlet } from "./Registry.ts"
import { stateText } from "./stateText.ts"

export const startMachine = Effect.fnUntraced(function*(spec: MachineSpec, entry: ActorEntry, host: Host): Effect.fn.Return<Process> {
  const mailbox = yield* Queue.dropping<EventObject, Cause.Done>(spec.mailbox ?? host.mailbox)
  const noteContained = (error: unknown) => host.note(entry, "contained", { detail: errorText(error) })
  const invocations = new Invocations(noteContained)
  const clock = effectClock(host)
  const contain = containingInspector(noteContained)
  let outcome: Outcome | undefined
  let stopBy: number | undefined

  const finish = (result: Outcome) => {
    if (outcome !== undefined) return
    outcome = result
    entry.inlet = undefined
    const lost = Queue.sizeUnsafe(mailbox)
    if (lost > 0) host.note(entry, "eventsLost", { detail: `${lost} waiting` })
    Queue.endUnsafe(mailbox)
  }

  const inspect = (event: InspectionEvent) => {
    contain(event)
    if (event.type === "@xstate.snapshot" && event.actorRef.sessionId === event.rootId) {
      const snapshot = event.snapshot as AnyMachineSnapshot
      host.note(entry, "event", { event: event.event.type, state: stateText(snapshot.value) })
    }
  }

  boundMicrosteps(spec.logic)
  const actor = createActor(spec.logic, {
    input: spec.input,
    clock,
    inspect,
    logger: (...args: ReadonlyArray<unknown>) => host.fork(Effect.logDebug(...args))
  })
  attachInvocations(actor.system, invocations)
  actor.subscribe({
    next: (snapshot: AnyMachineSnapshot) => observe(entry, snapshot, host),
    error: (error) => finish({ _tag: "Crashed", error }),
    complete: () => {
      const snapshot: AnyMachineSnapshot = actor.getSnapshot()
      finish(snapshot.status === "done" ? { _tag: "Ended", output: snapshot.output } : { _tag: "Stopped" })
    }
  })
  entry.inlet = inletOf(mailbox, spec.mailbox ?? host.mailbox, entry, host)
  actor.start()

  const handleEvents = Effect.whileLoop({
    while: () => outcome === undefined,
    body: () => Queue.take(mailbox),
    step: (event) => {
      if (outcome === undefined) actor.send(event)
    }
  })

  const halt = () => {
    actor.stop()
    if (outcome?._tag === "Crashed") stopInvoked(actor)
    clock.clear()
    invocations.interrupt()
  }

  const release = Effect.fnUntraced(function*(exit: Exit.Exit<void, Cause.Done>): Effect.fn.Return<Outcome> {
    if (Exit.isFailure(exit) && Cause.hasDies(exit.cause)) finish({ _tag: "Crashed", error: Cause.squash(exit.cause) })
    finish({ _tag: "Stopped" })
    halt()
    if (invocations.size > 0) {
      yield* within(Math.max(0, (stopBy ?? host.now() + spec.shutdownMs) - host.now()), invocations.awaitAll)
    }
    if (invocations.size > 0) {
      host.note(entry, "deadline", { detail: `${invocations.size} invoked Effects did not end within ${spec.shutdownMs} ms` })
    }
    return outcome ?? { _tag: "Stopped" }
  })

  const fiber = yield* Effect.forkDetach(
    Effect.uninterruptibleMask((restore) => Effect.flatMap(Effect.exit(restore(handleEvents)), release)),
    { startImmediately: true }
  )

  const stop = Effect.gen(function*() {
    if (stopBy === undefined) {
      stopBy = host.now() + spec.shutdownMs
      if (spec.stopEvent !== undefined && outcome === undefined) actor.send(spec.stopEvent)
    }
    if (spec.stopEvent !== undefined && !(yield* within(Math.max(0, stopBy - host.now()), Fiber.await(fiber)))) {
      host.note(entry, "deadline", { detail: `no final state within ${spec.shutdownMs} ms of "${spec.stopEvent.type}"` })
    }
    yield* Fiber.interrupt(fiber)
  })

  return {
    fiber,
    stop,
    kill: () => {
      finish({ _tag: "Stopped" })
      halt()
      fiber.interruptUnsafe()
    }
  }
})

const inletOf = (mailbox: Queue.Queue<EventObject, Cause.Done>, capacity: number, entry: ActorEntry, host: Host): Inlet => {
  let refusing = false
  return {
    capacity,
    size: () => Queue.sizeUnsafe(mailbox),
    offer: (event) => {
      if (Queue.offerUnsafe(mailbox, event)) {
        refusing = false
        return "taken"
      }
      // One entry for each time it fills up: a flood must not push the history out of the journal.
      if (!refusing) host.note(entry, "mailboxFull", { event: event.type })
      refusing = true
      return "full"
    }
  }
}

const observe = (entry: ActorEntry, snapshot: AnyMachineSnapshot, host: Host): void => {
  const before = entry.value
  entry.value = snapshot.value
  entry.rawContext = snapshot.context
  if (before !== entry.value && stateText(before) !== stateText(entry.value)) entry.since = host.now()
  host.registry.changed(entry)
}
