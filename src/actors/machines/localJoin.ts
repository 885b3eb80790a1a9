/**
 * A developer's machine in one network: trades the user's token for a key, enters the mesh with it, and is a local node for as long as
 * the control plane renews it. What expired for lack of contact (the machine slept) is joined again; what somebody ended stays ended.
 */
import { Result, Schema } from "effect"
import { assign, type CallbackActorLogic, type EventObject, type PromiseActorLogic, setup } from "xstate"
import { MachineId } from "../../domain/Ids.ts"
import type { LocalGrant } from "../../protocol/http/LocalNodesApi.ts"
import { durableState, unchanged } from "../runtime/DurableState.ts"

/** `final`: trying again would not help. */
export interface JoinRefusal { readonly reason: string; readonly next: string; readonly final: boolean }
export type LocalJoinEvent =
  | { readonly type: "leave" }
  | { readonly type: "control.reached"; readonly expiresAt: string; readonly version: number }
  | { readonly type: "control.lost"; readonly reason: string }
  | { readonly type: "mesh.changed"; readonly trouble: string | null }
  | { readonly type: "meshd.lost" }
  | { readonly type: "right.expired"; readonly reason: string }
  | { readonly type: "right.revoked"; readonly reason: string; readonly next: string }

interface Named { readonly network: string }
interface Context extends Named {
  grant: LocalGrant | undefined
  expiresAt: string | null
  version: number | null
  controlTrouble: string | null
  meshTrouble: string | null
  lastError: string | null
  next: string | null
  attempt: number
}
interface Granted extends Named { readonly grant: LocalGrant }
type Outcome<A> = Result.Result<A, JoinRefusal>

const named = ({ context }: { readonly context: Named }): Named => ({ network: context.network })
const granted = ({ context }: { readonly context: Context }): Granted => ({ network: context.network, grant: context.grant! })
const refusal = (output: Outcome<unknown>): Partial<Context> => Result.isFailure(output) ? { lastError: output.failure.reason, next: output.failure.next } : {}
const succeeded = ({ event }: { readonly event: { readonly output: Outcome<unknown> } }): boolean => Result.isSuccess(event.output)
const isFinal = ({ event }: { readonly event: { readonly output: Outcome<unknown> } }): boolean => Result.isFailure(event.output) && event.output.failure.final

/** Joins end with the process: whoever wants them again joins again. */
export const machineState = durableState({
  machine: "localJoin", what: "the id that this machine chose", without: "it counts as another machine, and what it had joined before ends by itself",
  schema: Schema.Struct({ machineId: MachineId }), migrations: [unchanged]
})
export const survives = [machineState]

export const localJoinMachine = setup({
  types: { context: {} as Context, input: {} as Named, events: {} as LocalJoinEvent },
  actors: {
    /** Waits for meshd first, so that no key is minted in vain. */
    request: {} as PromiseActorLogic<Outcome<LocalGrant>, Named>,
    enter: {} as PromiseActorLogic<Outcome<void>, Granted>,
    publish: {} as PromiseActorLogic<Outcome<{ readonly expiresAt: string }>, Granted>,
    /** Renews, brings what the machine may use into force, and looks at the mesh. */
    follow: {} as CallbackActorLogic<EventObject, Granted>,
    /** Withdraws the permits and leaves the mesh; tells the control plane if it can be told. */
    leave: {} as PromiseActorLogic<Result.Result<void, never>, Named>
  },
  guards: {
    succeeded: ({ event }) => succeeded({ event: event as never }),
    refused: ({ event }) => isFinal({ event: event as never }),
    troubled: ({ context }) => context.controlTrouble !== null || context.meshTrouble !== null,
    well: ({ context }) => context.controlTrouble === null && context.meshTrouble === null
  },
  actions: {
    explain: assign(({ event }) => refusal((event as unknown as { readonly output: Outcome<unknown> }).output))
  },
  delays: { retry: ({ context }) => Math.min(250 * 2 ** context.attempt, 15_000), forget: 600_000 }
}).createMachine({
  id: "localJoin",
  context: ({ input }) => ({
    network: input.network, grant: undefined, expiresAt: null, version: null, controlTrouble: null, meshTrouble: null, lastError: null, next: null, attempt: 0
  }),
  initial: "requesting",
  states: {
    requesting: {
      description: "Trades the user's token for a key that lets this machine's node in, once.",
      invoke: {
        src: "request", input: named,
        onDone: [
          { guard: "succeeded", target: "entering", actions: assign({ grant: ({ event }) => Result.getOrElse(event.output, () => undefined) }) },
          { guard: "refused", target: "revoked", actions: "explain" },
          { target: "waiting", actions: "explain" }
        ]
      },
      on: { leave: "leaving" }
    },
    entering: {
      description: "meshd enters the mesh with the key.",
      invoke: { src: "enter", input: granted, onDone: [{ guard: "succeeded", target: "publishing" }, { target: "waiting", actions: "explain" }] },
      on: { leave: "leaving" }
    },
    publishing: {
      description: "The control plane looks the node up by its key, and tells the agents of it.",
      invoke: {
        src: "publish", input: granted,
        onDone: [
          { guard: "succeeded", target: "member", actions: assign({ expiresAt: ({ event }) => Result.isSuccess(event.output) ? event.output.success.expiresAt : null }) },
          { target: "waiting", actions: "explain" }
        ]
      },
      on: { leave: "leaving" }
    },
    member: {
      description: "A local node of the network; renewed while the control plane answers.",
      entry: assign({ attempt: 0, lastError: null, next: null, controlTrouble: null, meshTrouble: null }),
      invoke: { src: "follow", input: granted },
      initial: "joined",
      on: {
        "control.reached": { actions: assign({ expiresAt: ({ event }) => event.expiresAt, version: ({ event }) => event.version, controlTrouble: null }) },
        "control.lost": { actions: assign({ controlTrouble: ({ event }) => event.reason }) },
        "mesh.changed": { actions: assign({ meshTrouble: ({ event }) => event.trouble }) },
        "meshd.lost": { target: "waiting", actions: assign({ lastError: "meshd was started anew", next: null }) },
        "right.expired": { target: "waiting", actions: assign({ lastError: ({ event }) => event.reason, next: null }) },
        "right.revoked": { target: "revoked", actions: assign({ lastError: ({ event }) => event.reason, next: ({ event }) => event.next }) },
        leave: "leaving"
      },
      states: {
        joined: { description: "All is well.", always: { guard: "troubled", target: "degraded" } },
        degraded: { description: "The control plane or the hosts' agents cannot be reached; what is open goes on.", always: { guard: "well", target: "joined" } }
      }
    },
    waiting: {
      description: "Could not join, or lost its place. Joins again after 250 ms to 15 s.",
      exit: assign({ attempt: ({ context }) => context.attempt + 1 }),
      after: { retry: "requesting" }, on: { leave: "leaving" }
    },
    revoked: {
      description: "Refused, or ended by somebody: the permits are withdrawn and the mesh is left. Said for ten minutes, then forgotten.",
      invoke: { src: "leave", input: named }, after: { forget: "left" }, on: { leave: "left" }
    },
    leaving: {
      description: "Withdraws its permits, leaves the mesh and tells the control plane.",
      invoke: { src: "leave", input: named, onDone: "left" }
    },
    left: { description: "Nothing of it is left on this machine.", type: "final" }
  }
})
