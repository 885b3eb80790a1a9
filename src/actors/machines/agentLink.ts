/**
 * The agent's connection to the control plane: enrol once, attach, synchronise, stay online; after a loss try again, slower
 * each time and spread over the fleet. A refused credential is tried again rarely, since only an operator can mend it.
 */
import { Result } from "effect"
import { assign, type CallbackActorLogic, type EventObject, type PromiseActorLogic, setup } from "xstate"

/** What the session tells while it lasts, and once more when it ends. */
export type LinkEvent =
  | { readonly type: "session.opened" }
  | { readonly type: "session.synchronized" }
  | { readonly type: "session.lost"; readonly reason: string; readonly refused: boolean }
export interface NoCredential { readonly reason: string; readonly refused: boolean }

export const agentLinkMachine = setup({
  types: {
    context: {} as { attempt: number; lastError: string | null; readonly spread: number },
    /** `spread`: 0 to 1, this agent's place in the fleet's retries. */
    input: {} as { readonly spread: number },
    events: {} as LinkEvent
  },
  actors: {
    credential: {} as PromiseActorLogic<Result.Result<void, NoCredential>, void>,
    session: {} as CallbackActorLogic<EventObject, {}>
  },
  delays: {
    backoff: ({ context }) => Math.min(200 * 2 ** context.attempt, 15_000) * (0.5 + context.spread / 2),
    refusal: 300_000
  }
}).createMachine({
  id: "agentLink",
  context: ({ input }) => ({ attempt: 0, lastError: null, spread: input.spread }),
  initial: "enrolling",
  states: {
    enrolling: {
      invoke: {
        src: "credential",
        onDone: [
          { guard: ({ event }) => Result.isSuccess(event.output), target: "session" },
          {
            guard: ({ event }) => Result.isFailure(event.output) && event.output.failure.refused, target: "refused",
            actions: assign({ lastError: ({ event }) => Result.isFailure(event.output) ? event.output.failure.reason : null })
          },
          { target: "backoff", actions: assign({ lastError: ({ event }) => Result.isFailure(event.output) ? event.output.failure.reason : null }) }
        ]
      }
    },
    session: {
      invoke: { src: "session", input: {} },
      initial: "connecting",
      states: {
        connecting: { on: { "session.opened": "synchronizing" } },
        synchronizing: { on: { "session.synchronized": "online" } },
        online: { entry: assign({ attempt: 0, lastError: null }) }
      },
      on: {
        "session.lost": [
          { guard: ({ event }) => event.refused, target: "refused", actions: assign({ lastError: ({ event }) => event.reason }) },
          { target: "backoff", actions: assign({ lastError: ({ event }) => event.reason }) }
        ]
      }
    },
    backoff: { exit: assign({ attempt: ({ context }) => context.attempt + 1 }), after: { backoff: "enrolling" } },
    refused: { after: { refusal: "enrolling" } }
  }
})
