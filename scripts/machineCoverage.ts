/**
 * Prints, for each machine of src/actors/machines, how many of its states and transitions the generated paths of its test have reached,
 * as vitest's report (the argument) has it. Exits with 1 when one is not reached as a whole, or has no such test.
 */
import { readFileSync } from "node:fs"
import { allMachines } from "../test/harness/allMachines.ts"
import type { MachineReached } from "../test/harness/machinePaths.ts"

interface Report {
  readonly testResults: ReadonlyArray<{ readonly assertionResults: ReadonlyArray<{ readonly meta?: { readonly machine?: MachineReached } }> }>
}

const [report = "dist/test-results/unit.json"] = process.argv.slice(2)
const { testResults } = JSON.parse(readFileSync(report, "utf8")) as Report
const reached = new Map(testResults.flatMap(({ assertionResults }) => assertionResults.flatMap(({ meta }) => meta?.machine ?? [])).map((machine) => [machine.id, machine]))

const isWhole = (machine: MachineReached | undefined): machine is MachineReached =>
  machine !== undefined && [machine.states, machine.transitions].every(([some, all]) => some === all)
const row = (name: string, states: string, transitions: string) => console.log(`${name.padEnd(20)} ${states.padStart(8)} ${transitions.padStart(12)}`)

const ids = (await allMachines()).map(({ machine }) => machine.id)
row("machine", "states", "transitions")
for (const id of ids) {
  const machine = reached.get(id)
  row(id, machine?.states.join("/") ?? "-", machine?.transitions.join("/") ?? "-")
}
for (const id of ids.filter((id) => !isWhole(reached.get(id)))) {
  console.error(`error: machine ${id} is not reached as a whole\nnext: add to test/actors/machines/${id}.test.ts what leads there (assertAllReached)`)
  process.exitCode = 1
}
