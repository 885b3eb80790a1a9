/**
 * A running supervisor: one fiber that handles one message after the other (a child ended, start or
 * stop a child, a restart is due), so that starts, stops and restarts never overlap.
 */
import { Cause, Deferred, Effect, Exit, Fiber, Queue } from "effect"
import { AddressGone, AlreadyStarted, SupervisorFailed } from "./ActorErrors.ts"
import type { Host } from "./ActorSystem.ts"
import type { ChildSpec, SupervisorSpec } from "./ChildSpec.ts"
import { type Child, ChildTable } from "./ChildTable.ts"
import { within } from "./deadline.ts"
import { errorText } from "./errorText.ts"
import { startMachine } from "./machineProcess.ts"
import type { OnEnded, Outcome, Process } from "./Process.ts"
import type { ActorEntry } from "./Registry.ts"
import { affectedBy, backoffDelay, backoffOf, isRestarted, RestartBudget } from "./restartPolicy.ts"
import type { SupervisorRef } from "./Supervisor.ts"
import { type Message, SupervisorInbox } from "./supervisorInbox.ts"

type Options = Pick<SupervisorSpec, "strategy" | "intensity" | "backoff" | "children" | "shutdownMs">

export interface SupervisorProcess extends Process {
  readonly ref: SupervisorRef
}

const startProcess = (spec: ChildSpec, entry: ActorEntry, host: Host, onEnded: OnEnded): Effect.Effect<Process> =>
  spec.kind === "machine" ? startMachine(spec, entry, host, onEnded) : startSupervisor(spec, entry, host, onEnded)

export const startSupervisor = Effect.fnUntraced(function*(
  options: Options,
  entry: ActorEntry,
  host: Host,
  onEnded: OnEnded
): Effect.fn.Return<SupervisorProcess> {
  const inbox = new SupervisorInbox(
    yield* Queue.unbounded<Message>(), entry.address, host.mailbox,
    () => new AddressGone({ address: entry.address, reason: entry.gone })
  )
  const ended = yield* Deferred.make<void, SupervisorFailed>()
  const backoff = backoffOf(options.backoff, options.intensity)
  const budget = new RestartBudget(options.intensity)
  const timers = new Set<Fiber.Fiber<unknown>>()
  const children = new ChildTable(entry, host, startProcess, (child, incarnation, outcome) =>
    inbox.tell({ _tag: "ChildEnded", child, incarnation, outcome }))
  let killed = false

  /** What a message leads to: an outcome ends the supervisor. */
  type Verdict = Effect.Effect<Outcome | undefined>

  const startDue = Effect.fnUntraced(function*(restart: symbol) {
    for (const child of children.all) {
      if (child.restart !== restart) continue
      child.entry.restarts++
      yield* children.run(child)
    }
  })

  const waits = (child: Child, why: string) => {
    child.entry.status = "restarting"
    host.note(child.entry, "restarting", why)
    host.registry.changed(child.entry)
  }

  const restartGroup = Effect.fnUntraced(function*(failure: Child) {
    const group = affectedBy(options.strategy, children.all, failure)
    const restart = Symbol(failure.spec.id)
    const delay = backoffDelay(backoff, failure.failures)
    waits(failure, `${options.strategy}, ${group.length} of ${children.all.length} children, in ${delay} ms`)
    for (const child of [...group].reverse()) {
      yield* children.stop(child)
      if (child.spec.restart === "temporary") {
        children.remove(child)
        continue
      }
      child.restart = restart
      if (child !== failure) waits(child, `with ${failure.entry.address}`)
    }
    if (delay === 0) return yield* startDue(restart)
    const timer = host.fork(Effect.delay(Effect.sync(() => inbox.tell({ _tag: "RestartDue", restart })), delay))
    timers.add(timer)
    timer.addObserver(() => timers.delete(timer))
  })

  const childEnded = Effect.fnUntraced(function*(child: Child, outcome: Outcome): Effect.fn.Return<Outcome | undefined> {
    child.process = undefined
    if (outcome._tag === "Crashed") {
      children.crashed(child, outcome.error)
      yield* Effect.logWarning("actor crashed").pipe(Effect.annotateLogs({ address: child.entry.address, error: child.entry.lastError }))
    } else {
      host.note(child.entry, "ended")
    }
    if (!isRestarted(child.spec.restart, outcome)) {
      if (child.spec.restart === "temporary") children.remove(child)
      else {
        child.entry.status = "ended"
        host.registry.changed(child.entry)
      }
      return child.spec.significant ? { _tag: "Ended" } : undefined
    }
    const now = host.elapsed()
    child.failures = now - child.startedAt >= Math.max(1, backoff.maxMs) ? 1 : child.failures + 1
    if (!budget.spend(now)) {
      return {
        _tag: "Crashed",
        error: new SupervisorFailed({
          address: entry.address,
          child: child.entry.address,
          ...options.intensity,
          reason: child.entry.lastError ?? "it ended, and is to run always"
        })
      }
    }
    yield* restartGroup(child)
    return undefined
  })

  const startChild = Effect.fnUntraced(function*(spec: ChildSpec) {
    const present = children.find(spec.id)
    if (present?.entry.status === "ended") children.remove(present)
    const address = children.addressOf(spec.id)
    if (host.registry.get(address) !== undefined) return yield* new AlreadyStarted({ address })
    const child = children.add(spec)
    yield* Effect.onError(children.run(child), () => Effect.sync(() => children.kill(child)))
  })

  const stopChild = Effect.fnUntraced(function*(id: string) {
    const child = children.find(id)
    if (child === undefined) return
    yield* children.stop(child)
    children.remove(child)
  })

  const handle = (message: Message): Verdict => {
    switch (message._tag) {
      case "ChildEnded":
        // A process that was stopped, or replaced, has nothing more to say.
        return message.child.process !== undefined && message.child.incarnation === message.incarnation
          ? childEnded(message.child, message.outcome)
          : Effect.undefined
      case "RestartDue":
        return Effect.as(startDue(message.restart), undefined)
      case "StartChild":
        return Effect.as(inbox.answer(message.reply, startChild(message.spec)), undefined)
      case "StopChild":
        return Effect.as(inbox.answer(message.reply, stopChild(message.id)), undefined)
    }
  }

  const handleMessages = Effect.gen(function*() {
    while (true) {
      const verdict = yield* handle(yield* inbox.take)
      if (verdict !== undefined) return verdict
    }
  })

  const close = () => {
    entry.supervisor = undefined
    for (const timer of timers) timer.interruptUnsafe()
    inbox.close()
  }

  const killChildren = () => {
    for (const child of [...children.all].reverse()) children.kill(child)
  }

  const shutDown = Effect.fnUntraced(function*(exit: Exit.Exit<Outcome>): Effect.fn.Return<Outcome> {
    close()
    for (const child of [...children.all].reverse()) {
      yield* children.stop(child)
      // Killed meanwhile: the entry may belong to a successor already.
      if (killed) return { _tag: "Stopped" }
      children.remove(child)
    }
    entry.status = "ended"
    host.registry.changed(entry)
    const outcome: Outcome = Exit.isSuccess(exit) ? exit.value
      : Cause.hasInterruptsOnly(exit.cause) ? { _tag: "Stopped" }
      : { _tag: "Crashed", error: Cause.squash(exit.cause) }
    if (outcome._tag !== "Crashed") yield* Deferred.succeed(ended, undefined)
    else if (!(outcome.error instanceof SupervisorFailed)) yield* Deferred.die(ended, outcome.error)
    else {
      entry.lastError = errorText(outcome.error)
      host.note(entry, "gaveUp", entry.lastError)
      yield* Effect.logError(outcome.error.message)
      yield* Deferred.fail(ended, outcome.error)
    }
    return outcome
  })

  const ref: SupervisorRef = {
    address: entry.address,
    startChild: (spec) => inbox.start(spec),
    stopChild: (id) => Effect.ignore(inbox.stop(id)),
    failed: Effect.andThen(Deferred.await(ended), Effect.never),
    ended: Deferred.await(ended)
  }

  yield* Effect.forEach(options.children, (spec) => Effect.suspend(() => children.run(children.add(spec))), { discard: true }).pipe(
    Effect.onError(() => Effect.sync(killChildren))
  )
  entry.supervisor = ref
  const fiber = yield* Effect.forkDetach(
    Effect.uninterruptibleMask((restore) => Effect.flatMap(Effect.exit(restore(handleMessages)), shutDown)),
    { startImmediately: true }
  )
  fiber.addObserver((exit) => onEnded(Exit.isSuccess(exit) ? exit.value : { _tag: "Crashed", error: Cause.squash(exit.cause) }))
  const kill = () => {
    killed = true
    close()
    Deferred.doneUnsafe(ended, Effect.void)
    killChildren()
    fiber.interruptUnsafe()
  }
  const stop = Effect.gen(function*() {
    if (yield* within(options.shutdownMs, Fiber.interrupt(fiber))) return
    host.note(entry, "deadline", `killed: its children did not end within ${options.shutdownMs} ms`)
    kill()
  })
  return { stop, kill, ref }
})
