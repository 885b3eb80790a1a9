/** Every machine of the product, found by what src/actors/machines exports, so that a new one is in every proof and page at once. */
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { type AnyStateMachine, StateMachine } from "xstate"
import type { DurableState } from "../../src/actors/runtime/DurableState.ts"

const folder = join(import.meta.dirname, "../../src/actors/machines")

export interface MachineFile {
  readonly name: string
  readonly text: string
  readonly machine: AnyStateMachine
  readonly survives: ReadonlyArray<DurableState<unknown>>
}

const read = async (name: string): Promise<ReadonlyArray<MachineFile>> => {
  const path = join(folder, name)
  const module = await import(path) as Record<string, unknown>
  const survives = module["survives"] as MachineFile["survives"] | undefined
  if (survives === undefined) throw new Error(`${path} does not say what survives: export const survives = [...]`)
  const text = await readFile(path, "utf8")
  return Object.values(module).filter((value) => value instanceof StateMachine).map((machine) => ({ name, text, machine, survives }))
}

/** In the alphabetical order of their ids. */
export const allMachines = async (): Promise<ReadonlyArray<MachineFile>> => {
  const files = await Promise.all((await readdir(folder)).filter((name) => name.endsWith(".ts")).map(read))
  return files.flat().sort((a, b) => (a.machine.id < b.machine.id ? -1 : 1))
}
