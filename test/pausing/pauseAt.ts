/**
 * Stops this process in a state of one of its machines, so that a test can kill it there. A test asks by a file named after the
 * process (`control`, `laptop`, or the agent's name) in the folder GSTACKS_PAUSES that names the state: `networkJoin.leaving`. The first entry uses
 * the file up: it is renamed to `<process>.here`, then comes SIGSTOP. Only the bundles in dist/test have this.
 */
import { Effect } from "effect"
import { readFileSync, renameSync } from "node:fs"
import { join } from "node:path"
import type { AnyStateMachine } from "xstate"
import { agentLinkMachine } from "../../src/actors/machines/agentLink.ts"
import { managedHeadscaleMachine } from "../../src/actors/machines/managedHeadscale.ts"
import { networkJoinMachine } from "../../src/actors/machines/networkJoin.ts"
import { Inspector } from "../../src/actors/runtime/Inspector.ts"
import { stateEntries } from "../harness/stateEntries.ts"

const wish = (file: string): string | undefined => {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return undefined // nobody asks
  }
}

/** Nobody can wait for what takes minutes: a mesh that is left, a refused credential, a Headscale that has settled. */
const shorter = (machine: AnyStateMachine, delay: string): void => {
  const { delays } = machine.implementations
  const ms: unknown = delays[delay]
  if (typeof ms !== "number") throw new Error(`${machine.id} has no delay ${delay} in milliseconds`)
  delays[delay] = ms / 40
}
shorter(networkJoinMachine, "linger")
shorter(agentLinkMachine, "refusal")
shorter(managedHeadscaleMachine, "settled")

export const pausing = (name: string) => <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
  const folder = process.env["GSTACKS_PAUSES"]
  if (folder === undefined) throw new Error("GSTACKS_PAUSES names no folder: this program is for tests")
  const file = join(folder, name)
  const inspect = stateEntries((_, machine, state) => {
    if (wish(file) !== `${machine}.${state}`) return
    renameSync(file, `${file}.here`)
    process.kill(process.pid, "SIGSTOP")
  })
  return Effect.provideService(program, Inspector, inspect)
}
