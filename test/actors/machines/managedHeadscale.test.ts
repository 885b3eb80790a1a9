import { assert, it } from "@effect/vitest"
import { Result } from "effect"
import { managedHeadscaleMachine } from "../../../src/actors/machines/managedHeadscale.ts"
import { assertAllReached, done } from "../../harness/machinePaths.ts"

const process = { pid: 7, startTime: 1 }
const trouble = Result.fail({ step: "start it", reason: "no such file" })

it("prepares, starts or takes over, authorizes, starts again after an end, and stops what it started", () => {
  const { paths } = assertAllReached(managedHeadscaleMachine, {
    events: [
      { type: "stop" },
      done("prepare", Result.succeed(undefined)), done("prepare", Result.succeed(process)), done("prepare", trouble),
      done("start", Result.succeed(process)), done("start", trouble),
      done("authorize", Result.void), done("authorize", trouble),
      done("watch", Result.void), done("end", Result.void)
    ],
    key: ({ context }) => [context.process !== undefined, Math.min(context.attempt, 2)]
  })
  for (const { state } of paths) {
    if (["authorizing", "running", "ending", "stopping"].includes(String(state.value))) assert.isDefined(state.context.process)
    if (["preparing", "starting", "pausing"].includes(String(state.value))) assert.isUndefined(state.context.process)
  }
})
