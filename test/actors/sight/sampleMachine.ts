/** A machine that has one of everything a chart can show. */
import { Result } from "effect"
import { and, assign, fromCallback, fromPromise, not, setup } from "xstate"

export const sampleMachine = setup({
  types: {
    context: {} as { name: string; secret: string; odd: unknown },
    events: {} as { type: "open" } | { type: "close" } | { type: "link.up" } | { type: "link.down" } | { type: "crash" } | { type: "back" }
  },
  actors: { dial: fromPromise(() => new Promise<Result.Result<string>>(() => {})), feed: fromCallback(() => {}) },
  guards: { ready: () => true, allowed: () => true },
  delays: { linger: 60_000, backoff: ({ context }) => context.name.length * 100 }
}).createMachine({
  id: "sample",
  initial: "closed",
  context: { name: "n", secret: "do not show", odd: null },
  on: { crash: { actions: () => { throw new Error("crashed") } } },
  states: {
    closed: { on: { open: { guard: "ready", target: "opened" } }, after: { 500: "closed", linger: "opened", backoff: "failed" } },
    opened: {
      type: "parallel",
      on: { close: "closed", "link.*": ".dns.down" },
      states: {
        dns: {
          initial: "up",
          states: { up: { on: { "link.down": "down" } }, down: { on: { "link.up": { guard: and(["ready", not("allowed")]), target: "up" } } }, hist: { type: "history" } }
        },
        link: {
          initial: "dialling",
          states: {
            dialling: { invoke: [{ src: "dial", onDone: "idle", onError: "#sample.failed" }, { id: "lines", src: "feed" }] },
            idle: { always: { guard: () => false, target: "over" } },
            over: { type: "final" }
          },
          onDone: "#sample.done"
        }
      }
    },
    failed: { on: { "*": "closed", back: { target: "opened.dns.hist", actions: assign({ name: "x" }) } } },
    done: { type: "final" }
  }
})
