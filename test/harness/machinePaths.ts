/**
 * Proves that a test's alphabet of events reaches all of a machine: every state and every transition,
 * with each guarded alternative, `always`, `after`, `onDone` and `onError` branch counted by itself.
 * The real machine is explored with @xstate/graph; its invoked actors are never started, their
 * results are events of the alphabet.
 *
 *     const machine = tunnelMachine
 *     const { paths } = assertAllReached(machine, {
 *       input: { peer: "p" },
 *       events: [
 *         { type: "START" }, { type: "STOP" },
 *         done("0.tunnel.connecting", Result.succeed("c")),       // 0th invoke of that state; or the invoke's own id
 *         done("0.tunnel.connecting", Result.fail(new DialError({ retryable: false })))
 *       ],
 *       key: (snapshot) => snapshot.context.attempt                 // the part of the context that matters
 *     })
 *
 * `after` events and `xstate.error.actor.*` with a defect are added by themselves where a state
 * handles them; every other event is given.
 */
import { getAdjacencyMap, getShortestPaths, type StatePath } from "@xstate/graph"
import {
  __unsafe_getAllOwnEventDescriptors as ownEventDescriptors,
  type AnyEventObject,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type ContextFrom,
  type EventObject,
  type InputFrom,
  type MachineSnapshot
} from "xstate"
import { TestRunner } from "vitest"
import { makeStepper, type MachineTransition } from "./machineSteps.ts"

type SnapshotOf<M extends AnyStateMachine> = MachineSnapshot<ContextFrom<M>, any, any, any, any, any, any, any>

export interface PathOptions<M extends AnyStateMachine> {
  readonly events: ReadonlyArray<AnyEventObject>
  readonly input?: InputFrom<M>
  /** Explore from each of these instead of from `input`. */
  readonly inputs?: ReadonlyArray<InputFrom<M>>
  /** What tells two snapshots of one state apart. Default: the whole context; leave out what grows without bound. */
  readonly key?: (snapshot: SnapshotOf<M>) => unknown
  /** How many snapshots may be explored. Default: 20,000. */
  readonly limit?: number
}

export interface MachineCoverage<M extends AnyStateMachine> {
  /** Shortest paths, one to each distinct snapshot. */
  readonly paths: ReadonlyArray<StatePath<SnapshotOf<M>, AnyEventObject>>
  readonly states: ReadonlyArray<string>
  readonly transitions: ReadonlyArray<string>
  readonly missingStates: ReadonlyArray<string>
  readonly missingTransitions: ReadonlyArray<string>
  /** Events of the alphabet that no reached state handles. */
  readonly unusedEvents: ReadonlyArray<string>
  readonly summary: string
}

/** The event that an invoked actor's result makes. */
export const done = (actorId: string, output: unknown): AnyEventObject => ({ type: `xstate.done.actor.${actorId}`, output, actorId })

/** The event that a defect of an invoked actor makes. */
export const failed = (actorId: string, error: unknown = new Error("defect")): AnyEventObject => ({
  type: `xstate.error.actor.${actorId}`,
  error,
  actorId
})

interface Adjacency {
  readonly state: AnyMachineSnapshot
  readonly transitions: Readonly<Record<string, { readonly event: AnyEventObject }>>
}

const automatic = /^xstate\.(after|error\.actor)\./

const handles = (descriptor: string, type: string): boolean =>
  descriptor === type || descriptor === "*" || (descriptor.endsWith(".*") && `${type}.`.startsWith(descriptor.slice(0, -1)))

const plain = (_: string, value: unknown): unknown =>
  value instanceof Map || value instanceof Set ? [...value] : typeof value === "bigint" ? `${value}n` : value

export const machinePaths = <M extends AnyStateMachine>(machine: M, options: PathOptions<M>): MachineCoverage<M> => {
  const limit = options.limit ?? 20_000
  const stepper = makeStepper(machine)
  const taken = new Set<MachineTransition>()
  const unused = new Set(options.events)
  const generated = new Map<string, AnyEventObject>()
  const eventIds = new Map<EventObject, string>()
  const reachedStates = new Set<string>()

  const eventsOf = (snapshot: AnyMachineSnapshot): ReadonlyArray<AnyEventObject> => {
    if (snapshot.status !== "active") return []
    return ownEventDescriptors(snapshot).flatMap((descriptor: string) => {
      const given = options.events.filter((event) => handles(descriptor, event.type) && belongsTo(snapshot, event))
      if (given.length > 0 || !automatic.test(descriptor)) return given
      const known = generated.get(descriptor)
        ?? (descriptor.startsWith("xstate.after.") ? { type: descriptor } : failed(descriptor.slice("xstate.error.actor.".length)))
      generated.set(descriptor, known)
      return [known]
    })
  }

  const traversal = (fromState: AnyMachineSnapshot) => ({
    fromState,
    events: eventsOf,
    limit,
    serializeState: (snapshot: AnyMachineSnapshot) =>
      JSON.stringify([snapshot.value, snapshot.status, options.key === undefined ? snapshot.context : options.key(snapshot)], plain),
    // Two events may print alike (errors do): each gets a number of its own.
    serializeEvent: (event: EventObject) => {
      const id = eventIds.get(event) ?? `${event.type}#${eventIds.size}`
      eventIds.set(event, id)
      return id
    }
  })

  const adjacency = (from: AnyMachineSnapshot): ReadonlyArray<Adjacency> => {
    try {
      return Object.values(getAdjacencyMap(machine, traversal(from) as never) as {} as Record<string, Adjacency>)
    } catch (error) {
      if (!(error instanceof Error) || error.message !== "Traversal limit exceeded") throw error
      throw new Error(`Machine ${machine.id} has more than ${limit} different snapshots. Give a \`key\` without what grows in its context, or a higher \`limit\`.`)
    }
  }

  const explore = (input: unknown) => {
    const initial = stepper.initial(input)
    const found = adjacency(initial.snapshot)
    const steps = [initial, ...found.flatMap(({ state, transitions }) =>
      Object.values(transitions).map(({ event }) => {
        const step = stepper.step(state, event)
        if (step.taken.length > 0) unused.delete(event)
        return step
      }))]
    for (const step of steps) {
      step.states.forEach((state) => reachedStates.add(state))
      step.taken.forEach((transition) => taken.add(transition))
    }
    return getShortestPaths(machine, traversal(initial.snapshot) as never) as ReadonlyArray<StatePath<any, AnyEventObject>>
  }

  const paths = (options.inputs ?? [options.input]).flatMap(explore)
  const states = stepper.states
  const transitions = stepper.transitions
  const missingStates = states.filter((state) => !reachedStates.has(state))
  const missingTransitions = transitions.filter((transition) => !taken.has(transition)).map(stepper.describe)
  return {
    paths,
    states,
    transitions: transitions.map(stepper.describe),
    missingStates,
    missingTransitions,
    unusedEvents: [...unused].map((event) => event.type),
    summary: `machine ${machine.id}: ${states.length - missingStates.length} of ${states.length} states, `
      + `${transitions.length - missingTransitions.length} of ${transitions.length} transitions, ${paths.length} paths`
  }
}

/** A result or defect can only come from an actor that the state has invoked. */
const belongsTo = (snapshot: AnyMachineSnapshot, event: AnyEventObject): boolean =>
  !/^xstate\.(done|error)\.actor\./.test(event.type) || snapshot.children[event["actorId"]] !== undefined

/** What a test leaves in vitest's report for `scripts/machineCoverage.ts`. */
export interface MachineReached {
  readonly id: string
  readonly states: readonly [reached: number, all: number]
  readonly transitions: readonly [reached: number, all: number]
}
declare module "vitest" {
  interface TaskMeta { machine?: MachineReached }
}

const report = (machine: AnyStateMachine, { states, transitions, missingStates, missingTransitions }: MachineCoverage<AnyStateMachine>) => {
  const test = TestRunner.getCurrentTest()
  if (test === undefined) return
  test.meta.machine = {
    id: machine.id,
    states: [states.length - missingStates.length, states.length],
    transitions: [transitions.length - missingTransitions.length, transitions.length]
  }
}

/** Fails unless everything is reached, and says what is not. */
export const assertAllReached = <M extends AnyStateMachine>(machine: M, options: PathOptions<M>): MachineCoverage<M> => {
  const coverage = machinePaths(machine, options)
  report(machine, coverage)
  const missing = [
    ...coverage.missingStates.map((state) => `  state       ${state}`),
    ...coverage.missingTransitions.map((transition) => `  transition  ${transition}`),
    ...coverage.unusedEvents.map((event) => `  event       ${event} is handled by no state that was reached`)
  ]
  if (missing.length > 0) throw new Error(`${coverage.summary}\nNot reached:\n${missing.join("\n")}\nAdd the events, or remove what cannot happen.`)
  return coverage
}
