/**
 * Adds up what vitest and `go test` wrote to the results folder and prints `N passed, N failed` (and the skipped, which fail the run
 * too). A file or package that could not even start its tests, or a stage that failed otherwise (named as arguments), counts as one failure.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs"

interface Totals {
  passed: number
  failed: number
  skipped: number
}

interface VitestFile {
  readonly status: string
  readonly assertionResults: ReadonlyArray<{ readonly status: string }>
}

interface GoEvent {
  readonly Action: string
  readonly Package?: string
  readonly Test?: string
}

const [results = ".", ...failedStages] = process.argv.slice(2)

const vitest = (text: string): Totals => {
  const totals = { passed: 0, failed: 0, skipped: 0 }
  for (const file of JSON.parse(text).testResults as ReadonlyArray<VitestFile>) {
    const statuses = file.assertionResults.map((result) => result.status)
    const failed = statuses.filter((status) => status === "failed").length
    totals.passed += statuses.filter((status) => status === "passed").length
    totals.failed += failed === 0 && file.status === "failed" ? 1 : failed
    totals.skipped += statuses.filter((status) => !["passed", "failed"].includes(status)).length
  }
  return totals
}

const go = (text: string): Totals => {
  const totals = { passed: 0, failed: 0, skipped: 0 }
  const blamed = new Set<string>()
  for (const line of text.split("\n")) {
    if (!line.startsWith("{")) continue
    const { Action, Package = "", Test } = JSON.parse(line) as GoEvent
    if (Test !== undefined && Action === "pass") totals.passed += 1
    if (Test !== undefined && Action === "skip") totals.skipped += 1
    if (Test !== undefined && Action === "fail") {
      totals.failed += 1
      blamed.add(Package)
    }
    if (Test === undefined && Action === "fail" && !blamed.has(Package)) totals.failed += 1
  }
  return totals
}

const sources = [["unit", "unit.json", vitest], ["go", "go.jsonl", go], ["real", "real.json", vitest]] as const
const totals = { passed: 0, failed: 0, skipped: 0 }
const explained = new Set<string>()
for (const [stage, name, read] of sources) {
  const file = `${results}/${name}`
  if (!existsSync(file)) continue
  const stageTotals = read(readFileSync(file, "utf8"))
  if (stageTotals.failed > 0) explained.add(stage)
  for (const kind of ["passed", "failed", "skipped"] as const) totals[kind] += stageTotals[kind]
}
totals.failed += failedStages.filter((stage) => !explained.has(stage)).length

const line = `${totals.passed} passed, ${totals.failed} failed${totals.skipped > 0 ? `, ${totals.skipped} skipped` : ""}`
writeFileSync(`${results}/totals`, `${line}\n`)
if (failedStages.length > 0) console.log(`\nfailed: ${failedStages.join(", ")}`)
if (totals.skipped > 0) console.log("\nskipped tests fail the run: make them run or remove them")
console.log(line)
process.exitCode = totals.failed + totals.skipped + failedStages.length > 0 ? 1 : 0
