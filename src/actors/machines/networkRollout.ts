/**
 * How far the newest version of one network has got: pending (being read and handed to the agents' sessions), applying k of n,
 * applied. It counts; the sessions send. A commit while pending is not lost: the round is repeated.
 */
import { Result } from "effect"
import { and, assign, type DoneActorEvent, type PromiseActorLogic, setup } from "xstate"
import type { AgentId, NetworkId } from "../../domain/Ids.ts"
import type { StoreUnavailable } from "../../domain/Problems.ts"
import type { DurableState } from "../runtime/DurableState.ts"

/** What a round found: the version, and which participants still lack it. */
export interface Distribution {
  readonly version: number
  readonly removed: boolean
  readonly participants: number
  readonly behind: ReadonlyArray<AgentId>
}
export type Distributed = Result.Result<Distribution, StoreUnavailable>

export type NetworkRolloutEvent =
  | { readonly type: "topology.committed" }
  | { readonly type: "topology.acknowledged"; readonly agentId: AgentId; readonly version: number }

interface Context extends Distribution {
  readonly networkId: NetworkId
  readonly acknowledged: Readonly<Record<AgentId, number>>
  readonly again: boolean
}

const missing = (distribution: Distribution, acknowledged: Context["acknowledged"]): ReadonlyArray<AgentId> =>
  distribution.behind.filter((agent) => (acknowledged[agent] ?? 0) < distribution.version)

const found = (event: unknown): Distributed => (event as DoneActorEvent<Distributed>).output

/** Nothing of its own: the database knows what was committed and acknowledged. */
export const survives: ReadonlyArray<DurableState<never>> = []

export const networkRolloutMachine = setup({
  types: {
    context: {} as Context,
    input: {} as { networkId: NetworkId },
    events: {} as NetworkRolloutEvent
  },
  actors: { distribute: {} as PromiseActorLogic<Distributed, { networkId: NetworkId }> },
  delays: { retryMs: 1000 },
  guards: {
    failed: ({ event }) => Result.isFailure(found(event)),
    again: ({ context }) => context.again,
    removed: ({ context, event }) => Result.match(found(event), { onFailure: () => false, onSuccess: (round) => round.removed && missing(round, context.acknowledged).length === 0 }),
    complete: ({ context, event }) => Result.match(found(event), { onFailure: () => false, onSuccess: (round) => missing(round, context.acknowledged).length === 0 }),
    isRemoved: ({ context }) => context.removed,
    isLast: ({ context, event }) => event.type === "topology.acknowledged" && event.version >= context.version && context.behind.every((agent) => agent === event.agentId)
  },
  actions: {
    begin: assign({ again: false }),
    repeat: assign({ again: true }),
    note: assign(({ context, event }) => {
      if (event.type !== "topology.acknowledged") return {}
      const acknowledged = { ...context.acknowledged, [event.agentId]: event.version }
      return { acknowledged, behind: missing(context, acknowledged) }
    }),
    adopt: assign(({ context, event }) => Result.match(found(event), {
      onFailure: () => ({}),
      onSuccess: (round) => ({ ...round, behind: missing(round, context.acknowledged) })
    }))
  }
}).createMachine({
  id: "networkRollout",
  context: ({ input }) => ({ networkId: input.networkId, version: 0, removed: false, participants: 0, behind: [], acknowledged: {}, again: false }),
  initial: "pending",
  on: { "topology.committed": ".pending" },
  states: {
    pending: {
      description: "Reads the newest version and hands it to the sessions of the agents that take part.",
      entry: "begin",
      on: { "topology.committed": { actions: "repeat" }, "topology.acknowledged": { actions: "note" } },
      invoke: {
        id: "distribute", src: "distribute", input: ({ context }) => ({ networkId: context.networkId }),
        onDone: [
          { guard: "failed", target: "waiting" },
          { guard: "again", target: "pending", reenter: true, actions: "adopt" },
          { guard: "removed", target: "closed", actions: "adopt" },
          { guard: "complete", target: "applied", actions: "adopt" },
          { target: "applying", actions: "adopt" }
        ]
      }
    },
    waiting: {
      description: "The database does not answer. Reads again after a second.",
      after: { retryMs: "pending" }, on: { "topology.acknowledged": { actions: "note" } }
    },
    applying: {
      description: "Some agents have not acknowledged the newest version yet.",
      on: {
        "topology.acknowledged": [
          { guard: and(["isLast", "isRemoved"]), target: "closed", actions: "note" },
          { guard: "isLast", target: "applied", actions: "note" },
          { actions: "note" }
        ]
      }
    },
    applied: {
      description: "Every agent that takes part has acknowledged the newest version.",
      on: { "topology.acknowledged": { actions: "note" } }
    },
    closed: { description: "The network is gone, and every agent has withdrawn.", type: "final" }
  }
})
