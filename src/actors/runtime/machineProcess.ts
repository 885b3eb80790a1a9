/**
 * One supervised machine: an XState actor behind a bounded mailbox, as a process that ends with an
 * outcome. Promises that the Effects it invoked are interrupted and their finalizers awaited before
 * the process counts as ended, for at most the child's `shutdownMs`.
 *
 * Events from outside wait in the mailbox and are handled in turns, so a sender never runs the
 * receiver's code. What the machine causes itself (timers, results of what it invoked) does not pass
 * through the mailbox: it is bounded by what the machine invokes. A full mailbox refuses the event; a
 * mailbox is lost with its process.
 *
 * A machine that hibernates and waits for nothing but an event is reduced to its snapshot, and made of
 * it again when the event comes: of thousands that rest, each costs a fraction.
 */
import { Deferred, Effect } from "effect"
import { type Actor, type AnyMachineSnapshot, type AnyStateMachine, createActor, type EventObject, type InspectionEvent, type Snapshot } from "xstate"
import type { Host } from "./ActorSystem.ts"
import type { MachineSpec } from "./ChildSpec.ts"
import { containInspected, stopInvoked, Turn } from "./containment.ts"
import { within } from "./deadline.ts"
import { EffectClock } from "./EffectClock.ts"
import { errorText } from "./errorText.ts"
import { attachInvocations, Invocations } from "./Invocations.ts"
import { Mailbox, type Runnable } from "./Mailbox.ts"
import type { OnEnded, Outcome, Process } from "./Process.ts"
import type { ActorEntry, Inlet } from "./Registry.ts"

export const startMachine = (spec: MachineSpec, entry: ActorEntry, host: Host, onEnded: OnEnded): Effect.Effect<Process> =>
  Effect.sync(() => new MachineProcess(spec, entry, host, onEnded).start())

/** Turns that no event begins. */
const starting = { type: "xstate.init" }
const resting = { type: "hibernation" }

const left = { Crashed: "restarting", Ended: "ended", Stopped: "stopping" } as const

class MachineProcess implements Process, Inlet, Runnable {
  readonly #spec: MachineSpec
  readonly #entry: ActorEntry
  readonly #host: Host
  readonly #onEnded: OnEnded
  readonly #ended = Deferred.makeUnsafe<void>()
  readonly #mailbox: Mailbox
  readonly #invocations: Invocations
  readonly #clock: EffectClock
  readonly #turn: Turn
  #actor: Actor<AnyStateMachine> | undefined = undefined
  /** What is left of it while it hibernates. */
  #resting: Snapshot<unknown> | undefined = undefined
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
    this.#invocations = new Invocations((error) => host.note(entry, "contained", errorText(error)))
    this.#clock = new EffectClock(host)
    this.#turn = new Turn(spec.logic.id, this.#crash)
  }

  start(): this {
    this.#entry.inlet = this
    this.#turn.run(starting, () => this.#awake())
    return this
  }

  #awake(): Actor<AnyStateMachine> {
    if (this.#actor !== undefined) return this.#actor
    let isNews = this.#resting === undefined
    const actor = createActor(this.#spec.logic, {
      input: this.#spec.input,
      ...(this.#resting === undefined ? {} : { snapshot: this.#resting }),
      clock: this.#clock,
      logger: this.#host.log,
      inspect: (event: InspectionEvent) => {
        containInspected(event)
        if (isNews) this.#see(event)
      }
    })
    this.#actor = actor
    this.#resting = undefined
    attachInvocations(actor.system, this.#invocations)
    this.#turn.guard(actor.system)
    actor.subscribe({
      error: this.#crash,
      complete: () => this.#finish({ _tag: actor.getSnapshot().status === "done" ? "Ended" : "Stopped" })
    })
    actor.start()
    isNews = true
    return actor
  }

  /** Throws nothing: XState would be left half way through a step. */
  #see(event: InspectionEvent): void {
    try {
      this.#host.inspect?.(this.#entry.address, event)
      if (event.type !== "@xstate.snapshot" || event.actorRef.sessionId !== event.rootId) return
      this.#entry.observe(event.snapshot as AnyMachineSnapshot, event.event.type, this.#host)
      if (this.#spec.hibernates) this.#queue()
    } catch (error) {
      this.#crash(error)
    }
  }

  #rest(): void {
    const actor = this.#actor
    if (actor === undefined || this.#outcome !== undefined) return
    if (this.#invocations.size > 0 || !this.#clock.isIdle || Object.keys(actor.getSnapshot().children).length > 0) return
    this.#resting = actor.getPersistedSnapshot()
    this.#actor = undefined
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
    if (taken) this.#queue()
    return taken
  }

  #queue(): void {
    if (this.#queued) return
    this.#queued = true
    this.#host.runQueue.add(this)
  }

  runTurn(events: number): boolean {
    for (let handled = 0; handled < events; handled++) {
      const event = this.#mailbox.take()
      if (event === undefined) break
      this.#deliver(event)
    }
    this.#queued = this.#mailbox.size > 0
    if (!this.#queued && this.#spec.hibernates) this.#turn.run(resting, () => this.#rest())
    return this.#queued
  }

  #deliver(event: EventObject): void {
    this.#turn.run(event, () => this.#awake().send(event))
  }

  readonly stop: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    const stopEvent = this.#spec.stopEvent
    if (this.#stopBy === undefined) {
      this.#stopBy = this.#host.elapsed() + this.#spec.shutdownMs
      if (stopEvent !== undefined && this.#outcome === undefined) this.#deliver(stopEvent)
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

  readonly #crash = (error: unknown): void => this.#finish({ _tag: "Crashed", error })

  /** May be called in the middle of a step of the machine: what is left to do is done after it. */
  #finish(outcome: Outcome): void {
    if (this.#outcome !== undefined) return
    this.#outcome = outcome
    this.#entry.inlet = undefined
    this.#entry.left = left[outcome._tag]
    if (this.#mailbox.size > 0) this.#host.note(this.#entry, "eventsLost", `${this.#mailbox.size} waiting`)
    this.#mailbox.clear()
    this.#host.fork(Effect.andThen(Effect.yieldNow, this.#release(outcome)))
  }

  #halt(): void {
    this.#actor?.stop()
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
      this.#onEnded(outcome)
      Deferred.doneUnsafe(this.#ended, Effect.void)
    })
  }

  #remaining(): number {
    return this.#stopBy === undefined ? this.#spec.shutdownMs : Math.max(0, this.#stopBy - this.#host.elapsed())
  }
}
