/**
 * Runs the simulation (docs/simulation.md): `--seeds 10000` seeds one after the other, from `--from` on, or one `--seed` with its journal;
 * `--steps 3,5,8` leaves only those of its schedule, as a shrunken failure prints them. Exits with 1 when something does not hold.
 */
import { parseArgs } from "node:util"
import { closeDatabase } from "../test/simulation/Database.ts"
import { type Outcome, run } from "../test/simulation/run.ts"
import { describe, scheduleFor } from "../test/simulation/schedule.ts"
import { seeds as usual } from "../test/simulation/seeds.ts"
import { shrink } from "../test/simulation/shrink.ts"

const number = (text: string | undefined, otherwise: number): number => {
  const value = text === undefined ? otherwise : Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  console.error(`error: "${text}" is not a whole number; try: npm run simulate -- --seeds 1000`)
  process.exit(2)
}

const progressEveryMs = 10_000

const tell = async (failed: Outcome): Promise<void> => {
  console.log(`\nseed ${failed.seed} fails:`)
  for (const problem of failed.problems) console.log(`  ${problem}`)
  const { schedule } = await shrink(failed)
  console.log(`still fails with these ${schedule.length} of ${failed.schedule.length} steps:`)
  for (const step of schedule) console.log(`  ${describe(step)}`)
  console.log(`replay: npm run simulate -- --seed ${failed.seed} --steps ${schedule.map((step) => step.number).join(",")}`)
}

const one = async (seed: number, steps: string | undefined): Promise<boolean> => {
  const wanted = steps === undefined ? undefined : new Set(steps.split(",").map((step) => number(step, 0)))
  const { journal, problems } = await run(seed, scheduleFor(seed).filter((step) => wanted === undefined || wanted.has(step.number)))
  process.stdout.write(journal)
  return problems.length === 0
}

const many = async (from: number, count: number): Promise<boolean> => {
  const startedAt = Date.now()
  const failed: Array<number> = []
  let toldAt = startedAt
  for (let done = 0; done < count; done++) {
    const outcome = await run(from + done)
    if (outcome.problems.length > 0) {
      failed.push(outcome.seed)
      await tell(outcome)
    }
    if (Date.now() - toldAt < progressEveryMs) continue
    toldAt = Date.now()
    console.log(`${done + 1} of ${count} seeds, ${failed.length} failed, ${((toldAt - startedAt) / 1000).toFixed(0)} s`)
  }
  const { user, system } = process.cpuUsage()
  console.log(`${count} seeds from ${from}: ${count - failed.length} hold, ${failed.length} fail${failed.length === 0 ? "" : ` (${failed.join(", ")})`}; ${((user + system) / 1e6).toFixed(0)} s of processor time`)
  return failed.length === 0
}

const { values } = parseArgs({ options: { seed: { type: "string" }, steps: { type: "string" }, seeds: { type: "string" }, from: { type: "string" } } })
const holds = values.seed === undefined ? await many(number(values.from, 1), number(values.seeds, usual)) : await one(number(values.seed, 1), values.steps)
await closeDatabase()
process.exitCode = holds ? 0 : 1
