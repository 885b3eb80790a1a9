import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { assign, type PromiseActorLogic, raise, setup } from "xstate"
import { assertAllReached, done, failed, machinePaths } from "./machinePaths.ts"

/** One of everything: invoke, after, always with guards, nested, parallel, history, final, raised and forbidden events. */
const sample = setup({
  types: {
    context: {} as { attempt: number; eager: boolean },
    input: {} as { eager: boolean },
    events: {} as { type: "stop" } | { type: "mesh.up" } | { type: "mesh.down" } | { type: "pause" } | { type: "resume" }
  },
  actors: { dial: {} as PromiseActorLogic<Result.Result<string, "busy" | "refused">, void> },
  delays: { backoff: ({ context }) => 2 ** context.attempt * 100 },
  guards: { eager: ({ context }) => context.eager, giveUp: ({ context }) => context.attempt >= 3 }
}).createMachine({
  id: "sample",
  initial: "deciding",
  context: ({ input }) => ({ attempt: 0, eager: input.eager }),
  on: { stop: ".stopped" },
  states: {
    deciding: { always: [{ guard: "eager", target: "dialling" }, { target: "waiting" }] },
    waiting: { after: { 1000: "dialling" } },
    dialling: {
      invoke: {
        src: "dial",
        onDone: [
          { guard: ({ event }) => Result.isSuccess(event.output), target: "checking" },
          { guard: ({ event }) => Result.isFailure(event.output) && event.output.failure === "refused", target: "failed" },
          { target: "backoff", actions: assign({ attempt: ({ context }) => context.attempt + 1 }) }
        ],
        onError: "failed"
      }
    },
    backoff: { always: { guard: "giveUp", target: "failed" }, after: { backoff: "dialling" } },
    checking: {
      initial: "first",
      states: { first: { after: { 10: "second" } }, second: { type: "final" } },
      onDone: "running"
    },
    running: {
      type: "parallel",
      on: { pause: "paused" },
      states: {
        recent: { type: "history", history: "deep" },
        link: { initial: "up", states: { up: { on: { "mesh.down": "down" } }, down: { on: { "mesh.*": "up" } } } },
        work: {
          initial: "idle",
          states: { idle: { after: { 50: { target: "ended", actions: raise({ type: "mesh.down" }) } } }, ended: { type: "final" } }
        }
      }
    },
    paused: { on: { resume: "running.recent", stop: undefined } },
    failed: { type: "final" },
    stopped: { type: "final" }
  }
})

const dial = "0.sample.dialling"
const everything = {
  inputs: [{ eager: true }, { eager: false }],
  events: [
    { type: "stop" },
    { type: "mesh.up" },
    { type: "mesh.down" },
    { type: "pause" },
    { type: "resume" },
    done(dial, Result.succeed("c")),
    done(dial, Result.fail("busy")),
    done(dial, Result.fail("refused"))
  ]
}

const without = (index: number) => ({ ...everything, events: everything.events.filter((_, at) => at !== index) })

describe("machinePaths", () => {
  it("reaches every state and transition of a machine that has one of everything", () => {
    const coverage = assertAllReached(sample, everything)
    assert.strictEqual(coverage.states.length, 18)
    assert.include(coverage.transitions, "sample.backoff --always--> sample.failed")
    assert.include(coverage.transitions, "sample.dialling --xstate.done.actor.0.sample.dialling [2 of 3]--> sample.failed")
    assert.include(coverage.transitions, "sample.checking --xstate.done.state.sample.checking--> sample.running")
    assert.include(coverage.transitions, "sample.running.work.idle --xstate.after.50.sample.running.work.idle--> sample.running.work.ended")
  })

  it("names a guarded alternative that no event leads to", () => {
    assert.deepStrictEqual(machinePaths(sample, without(7)).missingTransitions, [
      "sample.dialling --xstate.done.actor.0.sample.dialling [2 of 3]--> sample.failed"
    ])
  })

  it("names what depends on an input that was not given", () => {
    const coverage = machinePaths(sample, { ...everything, inputs: [{ eager: true }] })
    assert.deepStrictEqual(coverage.missingStates, ["sample.waiting"])
    assert.deepStrictEqual(coverage.missingTransitions, [
      "sample.deciding --always [2 of 2]--> sample.waiting",
      "sample.waiting --xstate.after.1000.sample.waiting--> sample.dialling"
    ])
  })

  it("fails with everything that is missing, and with an event that nothing handles", () => {
    assert.throws(() => assertAllReached(sample, without(5)), /state {7}sample\.running\.link[\s\S]*transition {2}sample\.paused --resume--> sample\.running\.recent/)
    assert.throws(
      () => assertAllReached(sample, { ...everything, events: [...everything.events, { type: "pauze" }] }),
      /event {7}pauze is handled by no state/
    )
  })

  it("gives defects that a test wants to tell apart their own edges", () => {
    const coverage = assertAllReached(sample, { ...everything, events: [...everything.events, failed(dial, new Error("a")), failed(dial, new Error("b"))] })
    assert.deepStrictEqual(coverage.unusedEvents, [])
  })

  it("says so when the context makes endlessly many snapshots", () => {
    const counter = setup({ types: { context: {} as { n: number } } }).createMachine({
      id: "counter",
      context: { n: 0 },
      on: { more: { actions: assign({ n: ({ context }) => context.n + 1 }) } }
    })
    assert.throws(() => assertAllReached(counter, { events: [{ type: "more" }], limit: 100 }), /Machine counter has more than 100 different snapshots/)
    assertAllReached(counter, { events: [{ type: "more" }], limit: 100, key: () => undefined })
  })
})
