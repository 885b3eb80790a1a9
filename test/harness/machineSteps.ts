/**
 * One step of a machine without running it: which states it passes, also those left at once through
 * `always`, and which transitions it takes. Actions are not executed and invoked actors not started.
 */
import {
  type AnyEventObject,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type AnyStateNode,
  type AnyTransitionDefinition,
  createEmptyActor,
  getStateNodes
} from "xstate"

export type MachineTransition = AnyTransitionDefinition

export interface MachineStep {
  readonly snapshot: AnyMachineSnapshot
  readonly states: ReadonlyArray<string>
  readonly taken: ReadonlyArray<MachineTransition>
}

const nodesBelow = (node: AnyStateNode): ReadonlyArray<AnyStateNode> =>
  Object.values(node.states as Record<string, AnyStateNode>).flatMap((child) => [child, ...nodesBelow(child)])

const withAncestors = (node: AnyStateNode): ReadonlyArray<AnyStateNode> =>
  node.parent === undefined ? [node] : [node, ...withAncestors(node.parent)]

/** `on: { event: undefined }` forbids an event: nothing to reach. */
const isInert = (transition: MachineTransition) =>
  transition.target === undefined && transition.actions.length === 0 && !transition.reenter

export const makeStepper = (machine: AnyStateMachine) => {
  const nodes = [machine.root as AnyStateNode, ...nodesBelow(machine.root)]
  const alternatives = nodes.flatMap((node) => [
    ...node.transitions.values(),
    ...(node.always === undefined ? [] : [node.always])
  ]) as ReadonlyArray<ReadonlyArray<MachineTransition>>

  const actor = createEmptyActor()
  const scope = {
    self: actor,
    id: "",
    sessionId: "",
    system: actor.system,
    logger: () => {},
    defer: () => {},
    stopChild: () => {},
    emit: () => {},
    actionExecutor: () => {}
  }
  let microsteps: Array<{ readonly snapshot: AnyMachineSnapshot; readonly _transitions: ReadonlyArray<MachineTransition> }> = []
  actor.system.inspect((event) => {
    if (event.type === "@xstate.microstep") microsteps.push(event as never)
  })

  const observe = (run: () => AnyMachineSnapshot): MachineStep => {
    microsteps = []
    const snapshot = run()
    if (snapshot.status === "error") throw snapshot.error
    const taken = microsteps.flatMap((step) => step._transitions)
    const passed = [snapshot, ...microsteps.map((step) => step.snapshot)].flatMap((step) => getActiveNodes(step))
    return { snapshot, taken, states: [...passed, ...taken.flatMap((transition) => withAncestors(transition.source))].map((node) => node.id) }
  }

  return {
    states: nodes.filter((node) => node.type !== "history").map((node) => node.id),
    transitions: alternatives.flat().filter((transition) => !isInert(transition)),
    initial: (input: unknown) => observe(() => machine.getInitialSnapshot(scope as never, input)),
    step: (snapshot: AnyMachineSnapshot, event: AnyEventObject) => observe(() => machine.transition(snapshot, event, scope as never)),
    describe: (transition: MachineTransition): string => {
      const siblings = alternatives.find((group) => group.includes(transition)) ?? []
      const choice = siblings.length > 1 ? ` [${siblings.indexOf(transition) + 1} of ${siblings.length}]` : ""
      const target = transition.target?.map((node) => node.id).join(", ") ?? "(stays)"
      return `${transition.source.id} --${transition.eventType === "" ? "always" : transition.eventType}${choice}--> ${target}`
    }
  }
}

const getActiveNodes = (snapshot: AnyMachineSnapshot): ReadonlyArray<AnyStateNode> =>
  getStateNodes(snapshot.machine.root, snapshot.value).flatMap(withAncestors)
