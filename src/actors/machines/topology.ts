/**
 * One network's topology on this agent: received (and on disk), brought into force by meshd, and frozen when the agent has
 * been out of touch for longer than its age limit. Only a plan that is in force counts as applied.
 */
import { Result, Schema } from "effect"
import { assign, type PromiseActorLogic, setup } from "xstate"
import type { NetworkId } from "../../domain/Ids.ts"
import { Topology, TopologyDelta } from "../../domain/Topology.ts"
import { durableState, unchanged } from "../runtime/DurableState.ts"

export interface TopologyNotInForce { readonly reason: string }
type Wait = PromiseActorLogic<Result.Result<void, never>, void>

export const receivedState = durableState({
  machine: "topology", what: "what the control plane sent last", without: "nothing is granted in this network until it is sent again",
  schema: Topology, migrations: [unchanged]
})
export const changeState = durableState({
  machine: "topology", what: "a change since", without: "it is sent again with the next",
  schema: TopologyDelta, migrations: [unchanged]
})
export const contactState = durableState({
  machine: "topology", what: "when the control plane was last heard from", without: "what is granted counts as too old until it is heard from again",
  schema: Schema.Struct({ lastContact: Schema.Number }), migrations: [unchanged]
})
export const survives = [receivedState, changeState, contactState]

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
    empty: {
      description: "Nothing has been received yet.",
      always: { guard: ({ context }) => context.received > 0, target: "applying" }
    },
    applying: {
      description: "Waits until meshd has confirmed the version, for at most 5 s.",
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
    retrying: {
      description: "meshd has not confirmed it. Tries again after 250 ms to 10 s.",
      exit: assign({ attempt: ({ context }) => context.attempt + 1 }), after: { retry: "applying" }
    },
    applied: {
      description: "The version is in force.",
      invoke: { src: "outOfTouch", onDone: "stale" }
    },
    stale: {
      description: "Out of touch for longer than the age limit: nothing new is granted.",
      type: "parallel",
      states: {
        freezing: {
          description: "Freezes what the topology grants; what is open goes on.",
          invoke: { src: "freeze", input: ({ context }) => ({ networkId: context.networkId }) }
        },
        waiting: {
          description: "Waits until the control plane is heard from again.",
          invoke: { src: "inTouch", onDone: { target: "#topology.applying" } }
        }
      }
    }
  }
})
