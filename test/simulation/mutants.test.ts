/** The simulation finds what it is there to find: each planted bug, within the seeds that continuous integration runs. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { closeDatabase } from "./Database.ts"
import { mutants } from "./mutants.ts"
import { run } from "./run.ts"
import { scheduleFor } from "./schedule.ts"
import { seeds } from "./seeds.ts"

afterAll(closeDatabase)

/** What each must be caught at; anything else would be luck. */
const caughtBy: Readonly<Record<keyof typeof mutants, RegExp>> = {
  lostAcknowledgement: /has acknowledged .*, not /,
  permitNotRemoved: /does not allow/,
  restartForgets: /has forgotten network/,
  outOfOrder: /of which it had acknowledged|has acknowledged .*, not /,
  listenerLeak: /has the listeners .*, and ought not/,
  staleCredential: /is connected though it was removed|was let in/,
  earlyAcknowledgement: /which is not in force/,
  sandboxesForgotten: /runs not|knows the sandboxes not/,
  fiberLeak: /left when all is stopped: \d+ fibers/,
  endForgotten: /permits .* until Infinity, and version/,
  ruleOutlivesEnd: /is still there after its end/,
  networkVanishes: /has forgotten network/,
  firstRuleEndsPermit: /permits .* until \d+, and version \d+ does until/,
  testSaysYes: /test of .* says reachable of .* not allowed/
}

describe("planted bugs", () => {
  for (const [name, mutant] of Object.entries(mutants)) {
    it(name, async () => {
      const caught = caughtBy[name as keyof typeof mutants]
      for (let seed = 1; seed <= seeds; seed++) {
        const { problems } = await run(seed, scheduleFor(seed), mutant)
        if (problems.some((problem) => caught.test(problem))) return
      }
      assert.fail(`not found with ${seeds} seeds`)
    }, 600_000)
  }
})
