/**
 * One supervised machine: an XState actor behind a bounded mailbox, as a process that ends with an
 * outcome. Promises that the Effects it invoked are interrupted and their finalizers awaited before
 * the process counts as ended, for at most the child's `shutdownMs`.
 *
 * Events from outside wait in the mailbox and are handled in turns, so a sender never runs the
 * receiver's code. What the machine causes itself (timers, results of what it invoked) does not pass
 * through the mailbox: it is bounded by what the machine invokes. A full mailbox refuses the event; a
 * mailbox is lost with its process.
 */
import { Deferred, Effect } from "effect"
import { type Actor, type AnyMachineSnapshot, type AnyStateMachine, createActor, type EventObject, type InspectionEvent } from "xstate"
import type { Host } from "./ActorSystem.ts"
import type { MachineSpec } from "./ChildSpec.ts"
import { boundMicrosteps, containingInspector, stopInvoked } from "./containment.ts"
import { within } from "./deadline.ts"
import { EffectClock } from "./EffectClock.ts"
import { errorText } from "./errorText.ts"
import { attachInvocations, Invocations } from "./Invocations.ts"
import { Mailbox, type Runnable } from "./Mailbox.ts"
import type { OnEnded, Outcome, Process } from "./Process.ts"
import type { ActorEntry, Inlet } from "./Registry.ts"

export const startMachine = (spec: MachineSpec, entry: ActorEntry, host: Host, onEnded: OnEnded): Effect.Effect<Process> =>
  Effect.sync(() => new MachineProcess(spec, entry, host, onEnded).start())

class MachineProcess implements Process, Inlet, Runnable {
  readonly #spec: MachineSpec
  readonly #entry: ActorEntry
  readonly #host: Host
  readonly #onEnded: OnEnded
  readonly #ended = Deferred.makeUnsafe<void>()
  readonly #mailbox: Mailbox
  readonly #invocations: Invocations
  readonly #actor: Actor<AnyStateMachine>
  #outcome: Outcome | undefined = undefined
  #stopBy: number | undefined = undefined
  #queued = false
  #refusing = false

  constructor(spec: MachineSpec, entry: ActorEntry, host: Host, onEnded: OnEnded) {
    this.#spec = spec
    this.#entry = entry
    this.#host = host
    this.#onEnded = onEnded
    this.#mailbox = new Mailbox(spec.mailbox ?? host.mailbox)
    const noteContained = (error: unknown) => host.note(entry, "contained", errorText(error))
    const contain = containingInspector(noteContained)
    boundMicrosteps(spec.logic)
    this.#invocations = new Invocations(noteContained)
    this.#actor = createActor(spec.logic, {
      input: spec.input,
      clock: new EffectClock(host),
      logger: host.log,
      inspect: (event: InspectionEvent) => {
        contain(event)
        // Comes after the observer below, which has noted the new state.
        if (event.type === "@xstate.snapshot" && event.actorRef.sessionId === event.rootId) {
          host.noteEvent(entry, "event", event.event.type)
        }
      }
    })
    attachInvocations(this.#actor.system, this.#invocations)
  }

  start(): this {
    this.#actor.subscribe({
      next: (snapshot: AnyMachineSnapshot) => this.#entry.observe(snapshot, this.#host),
      error: (error) => this.#finish({ _tag: "Crashed", error }),
      complete: () => this.#finish({ _tag: this.#actor.getSnapshot().status === "done" ? "Ended" : "Stopped" })
    })
    this.#entry.inlet = this
    this.#actor.start()
    return this
  }

  get capacity(): number {
    return this.#mailbox.capacity
  }

  get size(): number {
    return this.#mailbox.size
  }

  offer(event: EventObject): boolean {
    const taken = this.#mailbox.offer(event)
    // One entry for each time it fills up: a flood must not push the history out of the journal.
    if (!taken && !this.#refusing) this.#host.noteEvent(this.#entry, "mailboxFull", event.type)
    this.#refusing = !taken
    if (taken && !this.#queued) {
      this.#queued = true
      this.#host.runQueue.add(this)
    }
    return taken
  }

  runTurn(events: number): boolean {
    for (let handled = 0; handled < events; handled++) {
      const event = this.#mailbox.take()
      if (event === undefined) break
      this.#actor.send(event)
    }
    this.#queued = this.#mailbox.size > 0
    return this.#queued
  }

  readonly stop: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    const stopEvent = this.#spec.stopEvent
    if (this.#stopBy === undefined) {
      this.#stopBy = this.#host.now() + this.#spec.shutdownMs
      if (stopEvent !== undefined && this.#outcome === undefined) this.#actor.send(stopEvent)
    }
    if (stopEvent !== undefined && !(yield* within(this.#remaining(), Deferred.await(this.#ended)))) {
      this.#host.note(this.#entry, "deadline", `no final state within ${this.#spec.shutdownMs} ms of "${stopEvent.type}"`)
    }
    this.kill()
    yield* Deferred.await(this.#ended)
  })

  kill(): void {
    this.#finish({ _tag: "Stopped" })
    this.#halt()
  }

  /** May be called in the middle of a step of the machine: what is left to do is done after it. */
  #finish(outcome: Outcome): void {
    if (this.#outcome !== undefined) return
    this.#outcome = outcome
    this.#entry.inlet = undefined
    if (this.#mailbox.size > 0) this.#host.note(this.#entry, "eventsLost", `${this.#mailbox.size} waiting`)
    this.#mailbox.clear()
    this.#host.fork(Effect.andThen(Effect.yieldNow, this.#release(outcome)))
  }

  #halt(): void {
    this.#actor.stop()
    if (this.#outcome?._tag === "Crashed") stopInvoked(this.#actor)
    this.#invocations.interrupt()
  }

  #release(outcome: Outcome): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      this.#halt()
      if (this.#invocations.size > 0) yield* within(this.#remaining(), this.#invocations.awaitAll)
      if (this.#invocations.size > 0) {
        this.#host.note(this.#entry, "deadline", `${this.#invocations.size} invoked Effects did not end within ${this.#spec.shutdownMs} ms`)
      }
      Deferred.doneUnsafe(this.#ended, Effect.void)
      this.#onEnded(outcome)
    })
  }

  #remaining(): number {
    return this.#stopBy === undefined ? this.#spec.shutdownMs : Math.max(0, this.#stopBy - this.#host.now())
  }
}
