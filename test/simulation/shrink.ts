/** Cuts a failing schedule down: leaves out what it fails without, larger parts first. */
import { type Outcome, run } from "./run.ts"
import type { Schedule } from "./schedule.ts"
import type { Mutant } from "./World.ts"

const mostRuns = 80

/** What is wrong, without which host, network or version. */
const kindOf = (problem: string): string => problem.replace(/\b(net|sbx|als|agt)_\w+/g, "").replace(/host-\d/g, "").replace(/[\d.]+/g, "")

/** The smallest schedule found that has a problem of the same kind. */
export const shrink = async (failed: Outcome, mutant: Mutant = {}): Promise<Outcome> => {
  const kinds = new Set(failed.problems.map(kindOf))
  let smallest = failed
  let runs = 0
  const attempt = async (schedule: Schedule): Promise<boolean> => {
    runs++
    const outcome = await run(failed.seed, schedule, mutant)
    if (!outcome.problems.some((problem) => kinds.has(kindOf(problem)))) return false
    smallest = outcome
    return true
  }
  for (let size = Math.ceil(failed.schedule.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < smallest.schedule.length && runs < mostRuns;) {
      const without = smallest.schedule.filter((_, index) => index < from || index >= from + size)
      if (!await attempt(without)) from += size
    }
  }
  return smallest
}
