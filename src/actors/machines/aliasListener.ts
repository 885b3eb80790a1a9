/**
 * One alias and port that matters on this host: published here, or permitted to a sandbox here. Listening means that meshd
 * has confirmed every permit it takes part in; planned means that nothing permits it yet. Withdrawing a permit is the plan's
 * doing, never this machine's: it only shows what is so.
 */
import { Result } from "effect"
import { assign, type PromiseActorLogic, setup } from "xstate"
import type { AliasId, NetworkId } from "../../domain/Ids.ts"
import type { DurableState } from "../runtime/DurableState.ts"

export interface AliasPort { readonly networkId: NetworkId; readonly aliasId: AliasId; readonly port: number }
export interface AliasNotServed { readonly reason: string }
export type AliasListenerEvent =
  | { readonly type: "alias.permitted" }
  | { readonly type: "alias.unpermitted" }
  | { readonly type: "alias.withdrawn" }

/** Nothing: the plan says again what is permitted. */
export const survives: ReadonlyArray<DurableState<never>> = []

export const aliasListenerMachine = setup({
  types: {
    context: {} as AliasPort & { attempt: number; permits: number; lastError: string | null },
    input: {} as AliasPort,
    events: {} as AliasListenerEvent
  },
  actors: {
    /** Answers the number of permits once all are in force. */
    open: {} as PromiseActorLogic<Result.Result<number, AliasNotServed>, AliasPort>,
    /** Answers once none is. */
    drain: {} as PromiseActorLogic<Result.Result<void, never>, AliasPort>
  },
  delays: { retry: ({ context }) => Math.min(1000 * 2 ** context.attempt, 30_000) }
}).createMachine({
  id: "aliasListener",
  context: ({ input }) => ({ ...input, attempt: 0, permits: 0, lastError: null }),
  initial: "planned",
  states: {
    planned: {
      description: "Published here, and nothing permits it yet.",
      entry: assign({ permits: 0, lastError: null }), on: { "alias.permitted": "opening", "alias.withdrawn": "draining" }
    },
    opening: {
      description: "Waits until meshd has every permit that it takes part in.",
      invoke: {
        src: "open", input: ({ context: { networkId, aliasId, port } }) => ({ networkId, aliasId, port }),
        onDone: [
          {
            guard: ({ event }) => Result.isSuccess(event.output), target: "listening",
            actions: assign({ permits: ({ event }) => Result.getOrElse(event.output, () => 0), attempt: 0, lastError: null })
          },
          { target: "failed", actions: assign({ lastError: ({ event }) => Result.isFailure(event.output) ? event.output.failure.reason : null }) }
        ]
      },
      on: { "alias.permitted": { target: "opening", reenter: true }, "alias.unpermitted": "planned", "alias.withdrawn": "draining" }
    },
    listening: {
      description: "Every permit that it takes part in is in force.",
      on: { "alias.permitted": "opening", "alias.unpermitted": "planned", "alias.withdrawn": "draining" }
    },
    failed: {
      description: "A sandbox that it is permitted to is not served. Looks again after 1 to 30 s.",
      exit: assign({ attempt: ({ context }) => context.attempt + 1 }),
      after: { retry: "opening" },
      on: { "alias.permitted": "opening", "alias.unpermitted": "planned", "alias.withdrawn": "draining" }
    },
    draining: {
      description: "Withdrawn. Waits until none of its permits is in force.",
      invoke: { src: "drain", input: ({ context: { networkId, aliasId, port } }) => ({ networkId, aliasId, port }), onDone: "closed" }
    },
    closed: { description: "None of its permits is in force any more.", type: "final" }
  }
})
