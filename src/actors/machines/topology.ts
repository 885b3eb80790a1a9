/**
 * One network's topology on this agent: received (and on disk), brought into force by meshd, and frozen when the agent has
 * been out of touch for longer than its age limit. Only a plan that is in force counts as applied.
 */
import { Result } from "effect"
import { assign, type PromiseActorLogic, setup } from "xstate"
import type { NetworkId } from "../../domain/Ids.ts"

export interface TopologyNotInForce { readonly reason: string }
type Wait = PromiseActorLogic<Result.Result<void, never>, void>

export const topologyMachine = setup({
  types: {
    context: {} as { readonly networkId: NetworkId; received: number; applied: number; attempt: number; lastError: string | null },
    /** `version` 0: nothing is there yet. */
    input: {} as { readonly networkId: NetworkId; readonly version: number },
    events: {} as { readonly type: "topology.received"; readonly version: number }
  },
  actors: {
    /** Answers the version that is in force, at least the one asked for. */
    apply: {} as PromiseActorLogic<Result.Result<number, TopologyNotInForce>, { readonly networkId: NetworkId }>,
    /** Waits until the agent has been out of touch for too long. */
    outOfTouch: {} as Wait,
    /** Waits until it is in touch again. */
    inTouch: {} as Wait,
    /** Freezes what the topology grants. */
    freeze: {} as PromiseActorLogic<Result.Result<number, TopologyNotInForce>, { readonly networkId: NetworkId }>
  },
  delays: { retry: ({ context }) => Math.min(250 * 2 ** context.attempt, 10_000) }
}).createMachine({
  id: "topology",
  context: ({ input }) => ({ networkId: input.networkId, received: input.version, applied: 0, attempt: 0, lastError: null }),
  initial: "empty",
  on: { "topology.received": { target: ".applying", reenter: true, actions: assign({ received: ({ event }) => event.version }) } },
  states: {
    empty: { always: { guard: ({ context }) => context.received > 0, target: "applying" } },
    applying: {
      invoke: {
        src: "apply", input: ({ context }) => ({ networkId: context.networkId }),
        onDone: [
          {
            guard: ({ event }) => Result.isSuccess(event.output), target: "applied",
            actions: assign({ applied: ({ event, context }) => Result.getOrElse(event.output, () => context.applied), attempt: 0, lastError: null })
          },
          { target: "retrying", actions: assign({ lastError: ({ event }) => Result.isFailure(event.output) ? event.output.failure.reason : null }) }
        ]
      }
    },
    retrying: { exit: assign({ attempt: ({ context }) => context.attempt + 1 }), after: { retry: "applying" } },
    applied: { invoke: { src: "outOfTouch", onDone: "stale" } },
    stale: {
      type: "parallel",
      states: {
        freezing: { invoke: { src: "freeze", input: ({ context }) => ({ networkId: context.networkId }) } },
        waiting: { invoke: { src: "inTouch", onDone: { target: "#topology.applying" } } }
      }
    }
  }
})
