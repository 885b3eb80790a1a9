/** Where the scenarios are played: three clusters, each in a test file of its own, so that they can go on at once. */
import { forEveryone, onHost1, onHost2, removed } from "./agentScenarios.ts"
import { ofControl } from "./controlScenarios.ts"
import { clearLaptop, onLaptop, prepareLaptop } from "./developerScenarios.ts"
import type { Ground } from "./Ground.ts"
import { clearHost3, onHost3, prepareHost3, withHeadscale } from "./networkScenarios.ts"
import { ofSandboxes } from "./sandboxScenarios.ts"
import type { Scenario } from "./Scenario.ts"

export interface Place {
  readonly whom: string
  /** How many. */
  readonly hosts: number
  readonly prepare: (ground: Ground) => Promise<void>
  /** Each works on a process of its own, so that they can go on at once. */
  readonly lanes: ReadonlyArray<ReadonlyArray<Scenario>>
  /** Gives back what `prepare` has made. */
  readonly clear: (ground: Ground) => Promise<void>
  /** What cannot be made good again. */
  readonly last?: Scenario
}

/** Agents, meshds and shims: a lane is a host. */
export const agents: Place = {
  whom: "agents", hosts: 3, prepare: prepareHost3, lanes: [onHost1, onHost2, [...onHost3, ...ofSandboxes]], clear: clearHost3, last: removed
}
/** The control plane and the Headscale that it runs, and what concerns all hosts. */
export const control: Place = { whom: "the control plane", hosts: 3, prepare: prepareHost3, lanes: [[...withHeadscale, ...ofControl, ...forEveryone]], clear: clearHost3 }
/** A developer's background process and its meshd. */
export const developer: Place = { whom: "a developer's background process", hosts: 2, prepare: prepareLaptop, lanes: [onLaptop], clear: clearLaptop }

export const scenariosOf = ({ lanes, last }: Place): ReadonlyArray<Scenario> => [...lanes.flat(), ...last === undefined ? [] : [last]]
