/** A failure comes with little to read. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { closeDatabase } from "./Database.ts"
import { mutants } from "./mutants.ts"
import { run } from "./run.ts"
import { scheduleFor } from "./schedule.ts"
import { shrink } from "./shrink.ts"

afterAll(closeDatabase)

describe("shrink", () => {
  it("leaves the steps that the failure needs, and they fail again", async () => {
    const failed = await run(1, scheduleFor(1), mutants.earlyAcknowledgement)
    const smallest = await shrink(failed, mutants.earlyAcknowledgement)
    assert.isBelow(smallest.schedule.length, 10)
    const again = await run(1, smallest.schedule, mutants.earlyAcknowledgement)
    assert.strictEqual(again.journal, smallest.journal)
    assert.isNotEmpty(again.problems)
  }, 300_000)
})
