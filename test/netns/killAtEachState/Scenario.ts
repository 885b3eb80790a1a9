/** How a test gets a machine into one of its states, and whom it kills there. */
import { type Ground, type Victim, victimOf } from "./Ground.ts"

/** What a scenario works with. Those that it kills have to be back in the end, too. */
export interface Tools {
  readonly ground: Ground
  readonly kill: (role: Victim["role"], host?: string) => void
  /** So far. */
  readonly killed: ReadonlyArray<Victim>
}

export interface Scenario {
  /** `machine.state`, as the machine names it. */
  readonly state: string
  /** Whose machine it is: `control`, the `laptop`, or the host of the agent. */
  readonly process: string
  /** What comes before, and may pass through the state. */
  readonly prepare?: (tools: Tools) => Promise<unknown>
  /** What makes the machine enter the state. It may wait for an answer that comes only after the kill. */
  readonly provoke: (tools: Tools) => Promise<unknown>
  /** Who is killed there; by default the process itself. Where that lives on, it is let go. */
  readonly kill?: ReadonlyArray<Victim>
  /** A victim that does not run in that state is none. */
  readonly killsWhatIsThere?: boolean
  /** What goes on from there, while all gets well again: at once what the scenario itself has held back. */
  readonly after?: (tools: Tools) => Promise<unknown>
}

/** States that a process passes through when it starts. It is killed before it is asked to stop: the one that still runs may enter them, too. */
export const whenRestarted = (process: string, ...states: ReadonlyArray<string>): ReadonlyArray<Scenario> => {
  const { host, role } = victimOf(process)
  return states.map((state) => ({ state, process, prepare: async ({ kill }) => kill(role, host), provoke: async () => {} }))
}

/** A run of `network test` in `dev`; one that is not begun enters no state. */
export const testOfDev = async ({ ground }: Tools): Promise<void> => {
  const { body, status } = await ground.fixture.api("POST", "/networks/dev/tests", { source: "sandbox:web", alias: "api", port: 8080 })
  if (status !== 201 || body.state === "cancelled") throw new Error(`the test was not begun: ${status} ${JSON.stringify(body)}`)
}
