/** An XState machine's definition as a flat chart: what its states are, what it invokes, which events lead where. Without what it does. */
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from "xstate"
import type { Chart, ChartState, ChartTransition } from "../../domain/Sight.ts"

/** The name of a guard; what combines others is written out, an inline function has none. */
const guardName = (guard: unknown): string => {
  if (typeof guard === "string") return guard
  if (typeof guard === "object" && guard !== null && "type" in guard) {
    return "params" in guard && typeof guard.params === "string" ? `${String(guard.type)}: ${guard.params}` : String(guard.type)
  }
  if (typeof guard !== "function" || !("guards" in guard) || !Array.isArray(guard.guards)) return "condition"
  const names = guard.guards.map(guardName)
  return guard.name === "not" ? `not ${names.join()}` : names.join(` ${guard.name} `)
}

const pathOf = (node: AnyStateNode): string => node.path.join(".")
const actorName = (src: unknown, id: string): string => typeof src === "string" && !src.startsWith("xstate.invoke.") ? src : id
const duration = (ms: number): string => ms >= 1000 && ms % 1000 === 0 ? `${ms / 1000} s` : `${ms} ms`

/** How the events that XState makes for one state are called by people; others are called by their type. */
const labelsOf = (node: AnyStateNode, delays: Readonly<Record<string, unknown>>): ReadonlyMap<string, string> => {
  const labels = new Map([["", "always"], ["*", "any other event"], [`xstate.done.state.${node.id}`, "done"]])
  for (const { id, src } of node.invoke) {
    labels.set(`xstate.done.actor.${id}`, `done: ${actorName(src, id)}`)
    labels.set(`xstate.error.actor.${id}`, `failed: ${actorName(src, id)}`)
  }
  for (const { delay, eventType } of node.after) {
    const known = typeof delay === "string" ? delays[delay] : delay
    const ms = typeof known === "number" ? duration(known) : undefined
    labels.set(eventType, typeof delay !== "string" ? `after ${ms}` : ms === undefined ? `after ${delay}` : `after ${delay} (${ms})`)
  }
  return labels
}

const stateOf = (node: AnyStateNode): ChartState => {
  const parent = node.parent!
  return {
    path: pathOf(node),
    parent: parent.path.length === 0 ? null : pathOf(parent),
    type: node.type,
    initial: parent.type === "parallel" || parent.initial?.target?.includes(node) === true,
    invokes: node.invoke.map(({ id, src }) => actorName(src, id))
  }
}

const transitionsOf = (node: AnyStateNode, delays: Readonly<Record<string, unknown>>): ReadonlyArray<ChartTransition> => {
  const labels = labelsOf(node, delays)
  const own = [...[...node.transitions.values()].flat(), ...node.always ?? []] as ReadonlyArray<AnyTransitionDefinition>
  return own.map(({ eventType, guard, target }) => ({
    source: node.path.length === 0 ? null : pathOf(node),
    label: labels.get(eventType) ?? eventType,
    event: eventType,
    guard: guard === undefined ? null : guardName(guard),
    targets: (target ?? []).map(pathOf)
  }))
}

const inside = (node: AnyStateNode): ReadonlyArray<AnyStateNode> =>
  Object.values(node.states as Record<string, AnyStateNode>).flatMap((child) => [child, ...inside(child)])

/** States in the order of the definition, parents before what is in them. */
export const chartOf = (machine: AnyStateMachine): Chart => {
  const states = inside(machine.root)
  return {
    machine: machine.id,
    states: states.map(stateOf),
    transitions: [machine.root, ...states].flatMap((node) => transitionsOf(node, machine.implementations.delays))
  }
}

/** The same for all that were made of one definition by `provide`. */
const charts = new WeakMap<object, Chart>()

export const chartOnce = (machine: AnyStateMachine): Chart => {
  const known = charts.get(machine.config) ?? chartOf(machine)
  charts.set(machine.config, known)
  return known
}
