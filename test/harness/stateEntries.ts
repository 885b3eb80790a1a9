/**
 * The states that machines enter, one after the other, read off what XState tells an `Inspector`: innermost states by their path
 * below the machine (`member.joining`), also those that are left at once.
 */
import type { AnyActorRef, AnyMachineSnapshot, AnyStateNode, InspectionEvent } from "xstate"
import type { Inspect } from "../../src/actors/runtime/Inspector.ts"
import type { StateValue } from "../../src/actors/runtime/stateText.ts"

export type OnEntry = (address: string, machine: string, state: string) => void

const innermost = (value: StateValue): ReadonlyArray<string> =>
  typeof value === "string" ? [value] : Object.entries(value).flatMap(([region, inner]) => {
    const below = innermost(inner ?? {})
    return below.length === 0 ? [region] : below.map((path) => `${region}.${path}`)
  })

/** Where a step began: the only trace of an initial state that was left at once. */
const sources = (event: InspectionEvent): ReadonlyArray<string> =>
  ((event as { readonly _transitions?: ReadonlyArray<{ readonly source: AnyStateNode }> })._transitions ?? [])
    .filter(({ source }) => Object.keys(source.states).length === 0)
    .map(({ source }) => source.path.join("."))

const stepOf = (event: InspectionEvent): AnyMachineSnapshot | undefined => {
  if (event.actorRef.sessionId !== event.rootId) return undefined
  if (event.type === "@xstate.microstep") return event.snapshot as AnyMachineSnapshot
  return event.type === "@xstate.event" && event.event.type === "xstate.init" ? (event.actorRef as AnyActorRef).getSnapshot() : undefined
}

export const stateEntries = (onEntry: OnEntry): Inspect => {
  const active = new WeakMap<object, ReadonlyArray<string>>()
  return (address, event) => {
    const snapshot = stepOf(event)
    if (snapshot === undefined) return
    const before = active.get(event.actorRef)
    const now = innermost(snapshot.value)
    active.set(event.actorRef, now)
    const passed = before === undefined ? sources(event).filter((state) => !now.includes(state)) : []
    for (const state of [...passed, ...now.filter((state) => !before?.includes(state))]) onEntry(address, snapshot.machine.id, state)
  }
}
