/**
 * Keeps errors inside the actor that made them. XState 5.33 rethrows what subscribers throw, and errors
 * that nobody subscribed to, from a timer, which ends the process; and after a crash it leaves the
 * actors that the crashed one had invoked running. The inspector made here, given to an actor at its
 * creation, closes both holes for it and everything it invokes.
 */
import type { AnyStateMachine, InspectionEvent, Observer } from "xstate"

/** The parts of XState's actors, public and internal, that containment needs. */
interface Containable {
  subscribe: (...args: ReadonlyArray<any>) => unknown
  on: (type: string, handler: (event: any) => void) => unknown
  getSnapshot: () => { readonly status: string; readonly children?: Readonly<Record<string, Containable | undefined>> } | undefined
  readonly _stop: () => unknown
}

type Callback = ((value?: any) => void) | undefined

const guarded = (callback: Callback, onError: (error: unknown) => void) => (value?: unknown): void => {
  try {
    callback?.(value)
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

const contain = (actor: Containable, onError: (error: unknown) => void): void => {
  const subscribe = actor.subscribe.bind(actor)
  const on = actor.on.bind(actor)
  actor.subscribe = (observerOrNext: Partial<Observer<unknown>> | Callback, error?: Callback, complete?: Callback) => {
    const observer = typeof observerOrNext === "object"
      ? { next: observerOrNext.next?.bind(observerOrNext), error: observerOrNext.error?.bind(observerOrNext), complete: observerOrNext.complete?.bind(observerOrNext) }
      : { next: observerOrNext, error, complete }
    return subscribe({
      next: guarded(observer.next, onError),
      error: guarded(observer.error, onError),
      complete: guarded(observer.complete, onError)
    })
  }
  actor.on = (type, handler) => on(type, guarded(handler, onError))
}

/**
 * A machine whose `always` transitions chase one another would hold the process for ever: after this
 * many steps it crashes instead, unless it names a bound of its own.
 */
const maxMicrosteps = 1000

export const boundMicrosteps = (machine: AnyStateMachine): void => {
  if ((machine.options.maxIterations ?? Infinity) === Infinity) machine.options.maxIterations = maxMicrosteps
}

/** `onError` hears what a subscriber threw; it must not throw. */
export const containingInspector = (onError: (error: unknown) => void) => (event: InspectionEvent): void => {
  if (event.type === "@xstate.actor") contain(event.actorRef as unknown as Containable, onError)
  else if (event.type === "@xstate.event" && event.sourceRef !== undefined && event.event.type.startsWith("xstate.error.actor.")) {
    stopInvoked(event.sourceRef)
  }
}
