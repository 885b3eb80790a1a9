import { describe, it } from "@effect/vitest"
import { Result } from "effect"
import { forwardMachine } from "../../../src/actors/machines/forward.ts"
import { assertAllReached, done } from "../../harness/machinePaths.ts"

const situation = (permitted: boolean, meshd = true, route = "here") => ({ permitted, meshd, route })
const [open, close, end] = ["opening", "closing", "ending"].map((state) => `0.forward.${state}`) as [string, string, string]

describe("forward", () => {
  it("reaches every state and transition", () => {
    assertAllReached(forwardMachine, {
      inputs: [{ id: "f", situation: situation(true) }, { id: "f", situation: situation(false) }],
      key: ({ context }) => [context.situation, context.opened, context.once],
      events: [
        ...[situation(true), situation(false), situation(true, true, "there"), situation(true, false)].map((now) => ({ type: "situation.changed", situation: now })),
        { type: "stop" },
        done(open, Result.succeed("127.0.0.1:18080")), done(open, Result.fail({ reason: "taken", final: true })), done(open, Result.fail({ reason: "away", final: false })),
        done(close, Result.succeed(undefined)), done(end, Result.succeed(undefined))
      ]
    })
  })
})
