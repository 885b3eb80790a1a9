/** A cluster under random users and random faults, from seeds: after the faults it recovers, on the way nothing is permitted that no version allows, at the end nothing is left. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { closeDatabase } from "./Database.ts"
import { run } from "./run.ts"
import { describe as stepText } from "./schedule.ts"
import { seeds } from "./seeds.ts"
import { shrink } from "./shrink.ts"

afterAll(closeDatabase)

/** Twice what it is meant to take. Waiting for a busy machine's processor does not count. */
const mostProcessorSeconds = 240

describe("simulation", () => {
  it(`seeds 1 to ${seeds}`, async () => {
    const before = process.threadCpuUsage()
    for (let seed = 1; seed <= seeds; seed++) {
      const outcome = await run(seed)
      if (outcome.problems.length === 0) continue
      const { schedule, problems } = await shrink(outcome)
      assert.fail([`seed ${seed}:`, ...outcome.problems, `still with these steps:`, ...schedule.map(stepText), ...problems, `replay: npm run simulate -- --seed ${seed} --steps ${schedule.map((step) => step.number).join(",")}`].join("\n"))
    }
    const { user, system } = process.threadCpuUsage(before)
    assert.isBelow((user + system) / 1e6, mostProcessorSeconds)
  }, 3_600_000)

  it("the same seed gives the same journal, byte for byte, whatever ran before", async () => {
    const first = await run(7)
    await run(8)
    const again = await run(7)
    assert.isAbove(first.journal.split("\n").length, 300)
    assert.strictEqual(again.journal, first.journal)
    assert.notStrictEqual((await run(9)).journal, first.journal)
  }, 120_000)
})
