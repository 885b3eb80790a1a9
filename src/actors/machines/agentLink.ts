/**
 * The agent's connection to the control plane: enrol once, attach, synchronise, stay online; after a loss try again, slower
 * each time and spread over the fleet. A refused credential is tried again rarely, since only an operator can mend it.
 */
import { Result, Schema } from "effect"
import { assign, type CallbackActorLogic, type EventObject, type PromiseActorLogic, setup } from "xstate"
import { AgentName } from "../../domain/DnsLabel.ts"
import { AgentId } from "../../domain/Ids.ts"
import { durableState, unchanged } from "../runtime/DurableState.ts"

/** What the session tells while it lasts, and once more when it ends. */
export type LinkEvent =
  | { readonly type: "session.opened" }
  | { readonly type: "session.synchronized" }
  | { readonly type: "session.lost"; readonly reason: string; readonly refused: boolean }
export interface NoCredential { readonly reason: string; readonly refused: boolean }

export const Credentials = Schema.Struct({ agentId: AgentId, name: AgentName, credential: Schema.String })
export type Credentials = typeof Credentials.Type

export const credentialState = durableState({
  machine: "agentLink", what: "who this agent is, and its credential", without: "it has to be enrolled again",
  schema: Credentials, migrations: [unchanged]
})
export const survives = [credentialState]

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
      description: "Makes sure that there is a credential: the stored one, or a new one for the enrolment token.",
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
      description: "A connection is open, or being opened.",
      invoke: { src: "session", input: {} },
      initial: "connecting",
      states: {
        connecting: {
          description: "Dials the control plane and attaches.",
          on: { "session.opened": "synchronizing" }
        },
        synchronizing: {
          description: "Attached. Learns which sandboxes ought to run here, and starts and stops accordingly.",
          on: { "session.synchronized": "online" }
        },
        online: {
          description: "All that the control plane wants is known.",
          entry: assign({ attempt: 0, lastError: null })
        }
      },
      on: {
        "session.lost": [
          { guard: ({ event }) => event.refused, target: "refused", actions: assign({ lastError: ({ event }) => event.reason }) },
          { target: "backoff", actions: assign({ lastError: ({ event }) => event.reason }) }
        ]
      }
    },
    backoff: {
      description: "No connection. Dials again after 0.1 to 15 s, slower each time and spread over the fleet.",
      exit: assign({ attempt: ({ context }) => context.attempt + 1 }), after: { backoff: "enrolling" }
    },
    refused: {
      description: "The control plane does not accept the credential or the token; only an operator can mend that.",
      after: { refusal: "enrolling" }
    }
  }
})
