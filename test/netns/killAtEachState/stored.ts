/** Compares what stands in the state folders of a cluster and of a laptop with what the machines' files say survives (`survives`). */
import { Result } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"
import type { DurableState } from "../../../src/actors/runtime/DurableState.ts"
import { allMachines } from "../../harness/allMachines.ts"

/** What is no machine's, below the state folder of a process. */
const others: ReadonlyArray<RegExp> = [
  /^sandboxes\/\w+\/(?!spec\.json$)/, // its shim's, and what the sandbox sees
  /^flows\//, // a log
  /^(admin\.token$|database\/)/,
  /^headscale\/(?!api\.key$)/ // its own
]

const filesIn = (folder: string): ReadonlyArray<string> => readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile()).map((entry) => relative(folder, join(entry.parentPath, entry.name)))
  .filter((name) => !others.some((other) => other.test(name)))

/** One line for each thing that is stored and that no machine names, or is named and not stored. Empty: they are the same. */
export const storedNotAsSaid = async (folders: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  const said = (await allMachines()).flatMap(({ survives }) => survives)
  const seen = new Set<DurableState<unknown>>()
  const unsaid = folders.flatMap((folder) => filesIn(folder).flatMap((name) => {
    const lines = readFileSync(join(folder, name), "utf8").trimEnd().split("\n")
    return lines.flatMap((line) => {
      const whose = said.filter((state) => line.startsWith(`{"machine":"${state.machine}","version":${state.version},`) && Result.isSuccess(state.decode(line)))
      for (const state of whose) seen.add(state)
      return whose.length === 1 ? [] : [`${join(folder, name)} has what ${whose.length} machines say survives them: ${line.slice(0, 60)}`]
    })
  }))
  return [...unsaid, ...said.filter((state) => !seen.has(state)).map(({ machine, what }) => `${machine} says that it leaves ${what}: nobody stores it`)]
}
