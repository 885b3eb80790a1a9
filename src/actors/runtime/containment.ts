/**
 * Keeps errors inside the actor that made them. XState 5.33 rethrows what subscribers throw, and errors
 * that nobody subscribed to, from a timer, which ends the process; and after a crash it leaves the
 * actors that the crashed one had invoked running. The inspector here, given to an actor at its
 * creation, closes both holes for it and everything it invokes; `Turn` closes what is left.
 */
import { type EventObject, type InspectionEvent, StateMachine } from "xstate"
import { invocationsOf, type XStateSystem } from "./Invocations.ts"

/** The parts of XState's actors, public and internal, that containment needs. */
interface Containable {
  subscribe: (...args: ReadonlyArray<any>) => unknown
  on: (type: string, handler: (event: any) => void) => unknown
  getSnapshot: () => { readonly status: string; readonly children?: Readonly<Record<string, Containable | undefined>> } | undefined
  readonly _stop: () => unknown
  readonly logic: unknown
  readonly system: XStateSystem
}

type Callback = ((value?: any) => void) | undefined
interface Observing { readonly next?: Callback; readonly error?: Callback; readonly complete?: Callback }

const attempt = (run: () => void, onError: (error: unknown) => void): void => {
  try {
    run()
  } catch (error) {
    onError(error)
  }
}

/** Stops what an actor had invoked. Needed after a crash only. */
export const stopInvoked = (actor: unknown): void => {
  const children = (actor as Containable).getSnapshot()?.children ?? {}
  for (const child of Object.values(children)) {
    if (child === undefined) continue
    stopInvoked(child)
    child._stop()
  }
}

/** Shared by all actors, of which there may be many: each finds out by itself who hears of its errors. */
const contained = {
  subscribe(this: Containable, observerOrNext: Observing | Callback, error?: Callback, complete?: Callback): unknown {
    const observer: Observing = typeof observerOrNext === "object" ? observerOrNext : { next: observerOrNext, error, complete }
    const onError = listenerOf(this)
    return methodsOf(this).subscribe.call(this, {
      ...(observer.next === undefined ? {} : { next: (value: unknown) => attempt(() => observer.next?.(value), onError) }),
      // Always: XState rethrows what no observer takes.
      error: (value: unknown) => attempt(() => observer.error?.(value), onError),
      ...(observer.complete === undefined ? {} : { complete: () => attempt(() => observer.complete?.(), onError) })
    })
  },
  on(this: Containable, type: string, handler: (event: unknown) => void): unknown {
    const onError = listenerOf(this)
    return methodsOf(this).on.call(this, type, (event) => attempt(() => handler(event), onError))
  }
}

/** As XState made them. */
const methodsOf = (actor: Containable): Containable => Object.getPrototypeOf(actor) as Containable
const listenerOf = ({ system }: Containable) => (error: unknown): void => invocationsOf(system)?.noteContained(error)

/**
 * A machine whose `always` transitions or raised events chase one another would hold the process for ever: after this
 * many steps it crashes instead, unless it names a bound of its own.
 */
const maxMicrosteps = 1000

const boundMicrosteps = (logic: unknown): void => {
  if (logic instanceof StateMachine && (logic.options.maxIterations ?? Infinity) === Infinity) logic.options.maxIterations = maxMicrosteps
}

/** Part of the inspector of every machine. Who hears of what a subscriber threw are the machine's `Invocations`. */
export const containInspected = (event: InspectionEvent): void => {
  if (event.type === "@xstate.actor") {
    Object.assign(event.actorRef, contained)
    boundMicrosteps((event.actorRef as unknown as Containable).logic)
  } else if (event.type === "@xstate.event" && event.sourceRef !== undefined && event.event.type.startsWith("xstate.error.actor.")) {
    stopInvoked(event.sourceRef)
  }
}

/** Twice what a stream delivers before its fiber gives way (2,048), which its machine may pass on. */
const maxSteps = 5000

/** Where XState hands every event to its actor, whoever sent it. */
interface Relaying {
  _relay: (source: unknown, target: unknown, event: EventObject) => void
}

/**
 * All that a machine and what it invoked do at once because of one event. What escapes from a turn is the machine's crash; one that
 * does not end, because its actors send to themselves or to one another without delay, is broken off.
 */
export class Turn {
  readonly #machine: string
  readonly #crash: (error: unknown) => void
  /** What it began with; undefined between turns. */
  #event: EventObject | undefined = undefined
  #steps = 0

  constructor(machine: string, crash: (error: unknown) => void) {
    this.#machine = machine
    this.#crash = crash
  }

  /** Makes a turn of each event that comes from outside: from a timer, a promise, a stream. */
  guard(system: XStateSystem): void {
    const relaying = system as unknown as Relaying
    const relay = relaying._relay
    relaying._relay = (source, target, event) => this.run(event, () => relay(source, target, event))
  }

  /** Begins a turn, or takes a step in the present one. */
  run(event: EventObject, work: () => void): void {
    if (this.#event !== undefined) {
      if (++this.#steps > maxSteps) throw this.#endless(event)
      return work()
    }
    this.#event = event
    this.#steps = 0
    try {
      work()
    } catch (error) {
      this.#crash(error)
    } finally {
      this.#event = undefined
    }
  }

  #endless(last: EventObject): Error {
    return new Error(`Machine "${this.#machine}" does not come to rest: "${this.#event?.type}" led to more than ${maxSteps} events without a delay, `
      + `the last "${last.type}". Let a delay, or something outside of it, stand between what it sends to itself.`)
  }
}
