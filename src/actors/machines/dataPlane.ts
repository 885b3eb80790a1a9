/**
 * The agent's connection to meshd, whose own life is the init's: connect, shake hands, bring the plan into force. Degraded
 * means connected, but a sandbox or the plan is not in force; the session goes on trying.
 */
import { assign, type CallbackActorLogic, type EventObject, setup } from "xstate"
import type { DurableState } from "../runtime/DurableState.ts"

export type DataPlaneMachineEvent =
  | { readonly type: "meshd.connected"; readonly pid: number; readonly instance: string }
  | { readonly type: "meshd.applied"; readonly generation: number; readonly failedSandboxes: number }
  | { readonly type: "meshd.rejected"; readonly reason: string }
  | { readonly type: "meshd.lost"; readonly reason: string }

/** Nothing: meshd says what it has, and is sent the whole plan. */
export const survives: ReadonlyArray<DurableState<never>> = []

export const dataPlaneMachine = setup({
  types: {
    context: {} as { attempt: number; generation: number; pid: number | null; lastError: string | null },
    events: {} as DataPlaneMachineEvent
  },
  actors: { session: {} as CallbackActorLogic<EventObject, {}> },
  guards: { allServed: ({ event }) => event.type === "meshd.applied" && event.failedSandboxes === 0 },
  actions: {
    noteApplied: assign(({ event }) => event.type !== "meshd.applied" ? {} : {
      generation: event.generation,
      lastError: event.failedSandboxes === 0 ? null : `${event.failedSandboxes} sandbox(es) are not served`
    }),
    noteRejected: assign(({ event }) => event.type !== "meshd.rejected" ? {} : { lastError: event.reason })
  },
  delays: { backoff: ({ context }) => Math.min(50 * 2 ** context.attempt, 1000) }
}).createMachine({
  id: "dataPlane",
  context: { attempt: 0, generation: 0, pid: null, lastError: null },
  initial: "session",
  states: {
    session: {
      description: "A connection to meshd is open, or being opened.",
      invoke: { src: "session", input: {} },
      initial: "connecting",
      states: {
        connecting: {
          description: "Opens meshd's socket.",
          on: { "meshd.connected": { target: "handshaking", actions: assign({ pid: ({ event }) => event.pid }) } }
        },
        handshaking: {
          description: "Connected. The whole plan is being brought into force.",
          entry: assign({ attempt: 0 })
        },
        ready: { description: "The plan is in force." },
        degraded: { description: "Connected, but a sandbox is not served or the plan was refused. Tries again by itself." }
      },
      on: {
        "meshd.applied": [
          { guard: "allServed", target: ".ready", actions: "noteApplied" },
          { target: ".degraded", actions: "noteApplied" }
        ],
        "meshd.rejected": { target: ".degraded", actions: "noteRejected" },
        "meshd.lost": { target: "backoff", actions: assign({ pid: null, lastError: ({ event }) => event.reason }) }
      }
    },
    backoff: {
      description: "No meshd. Connects again after 50 ms to 1 s; what it holds stays in force.",
      exit: assign({ attempt: ({ context }) => context.attempt + 1 }), after: { backoff: "session" }
    }
  }
})
