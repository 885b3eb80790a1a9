/**
 * This host's membership in one network's mesh. It joins when a local sandbox is attached, asking for a key only when meshd
 * has no usable state; reports a new node, so that the control plane publishes it; and leaves a minute after the last local
 * sandbox, so that a sandbox that is replaced costs no new join.
 */
import { Result, Schema } from "effect"
import { assign, type CallbackActorLogic, type EventObject, type PromiseActorLogic, setup } from "xstate"
import type { NetworkId } from "../../domain/Ids.ts"
import type { JoinGrant } from "../../protocol/agent/ControlRpcs.ts"
import type { NodeStatus } from "../../protocol/meshd/Messages.ts"
import { durableState, unchanged } from "../runtime/DurableState.ts"

export interface JoinProblem { readonly reason: string; readonly needsKey: boolean }
export type NetworkJoinEvent =
  | { readonly type: "members.absent" }
  | { readonly type: "node.changed"; readonly node: NodeStatus }
  | { readonly type: "meshd.connected" }
  | { readonly type: "meshd.lost" }

interface Context {
  readonly networkId: NetworkId
  grant: typeof JoinGrant.Type | undefined
  node: NodeStatus | undefined
  attempt: number
  lastError: string | null
}
/** `published`: the control plane has told everyone of this very node. */
export interface Joined { readonly node: NodeStatus; readonly published: boolean }
type Named = { readonly networkId: NetworkId }
const named = ({ context }: { readonly context: Named }): Named => ({ networkId: context.networkId })
const nodeOf = (output: Result.Result<Joined, JoinProblem>): NodeStatus | undefined => Result.isSuccess(output) ? output.success.node : undefined
const reasonOf = (output: Result.Result<unknown, JoinProblem>): string | null => Result.isFailure(output) ? output.failure.reason : null

export const MeshPlace = Schema.Struct({ udpPort: Schema.Int, controlUrl: Schema.String, hostname: Schema.String })
export type MeshPlace = typeof MeshPlace.Type

/** meshd keeps the node and its keys. */
export const placeState = durableState({
  machine: "networkJoin", what: "this node's UDP port, and where the mesh's coordinator was", without: "it joins again with a new key, on any free port",
  schema: MeshPlace, migrations: [unchanged]
})
export const survives = [placeState]

export const networkJoinMachine = setup({
  types: { context: {} as Context, input: {} as Named, events: {} as NetworkJoinEvent },
  actors: {
    /** Waits until a member of the network is hosted here. */
    membersPresent: {} as PromiseActorLogic<Result.Result<void, never>, Named>,
    join: {} as PromiseActorLogic<Result.Result<Joined, JoinProblem>, Named & { readonly grant: typeof JoinGrant.Type | undefined }>,
    requestKey: {} as PromiseActorLogic<Result.Result<typeof JoinGrant.Type, JoinProblem>, Named>,
    report: {} as PromiseActorLogic<Result.Result<void, JoinProblem>, Named>,
    leave: {} as PromiseActorLogic<Result.Result<void, JoinProblem>, Named>,
    watch: {} as CallbackActorLogic<EventObject, Named>
  },
  guards: {
    ready: ({ context }) => context.node?.state === "ready",
    /** The coordinator does not know the node any more, or its key has expired. */
    lost: ({ context }) => context.node?.state === "failed"
  },
  actions: { explainLoss: assign({ lastError: ({ context }) => context.node?.error ?? "the mesh does not accept this node any more" }) },
  delays: { retry: ({ context }) => Math.min(250 * 2 ** context.attempt, 15_000), linger: 60_000 }
}).createMachine({
  id: "networkJoin",
  context: ({ input }) => ({ networkId: input.networkId, grant: undefined, node: undefined, attempt: 0, lastError: null }),
  initial: "left",
  states: {
    left: {
      description: "Not in the mesh. Waits for a sandbox of this network to be hosted here.",
      entry: assign({ node: undefined, attempt: 0, lastError: null }), invoke: { src: "membersPresent", input: named, onDone: "member" }
    },
    member: {
      description: "A sandbox of this network is hosted here.",
      invoke: { src: "watch", input: named },
      initial: "joining",
      on: {
        "node.changed": { actions: assign({ node: ({ event }) => event.node }) },
        "meshd.connected": ".joining",
        "meshd.lost": { target: ".failed", actions: assign({ node: undefined, lastError: "meshd is away" }) },
        "members.absent": "lingering"
      },
      states: {
        joining: {
          description: "meshd joins, with the key just granted or with the state it has.",
          invoke: {
            src: "join", input: ({ context }) => ({ networkId: context.networkId, grant: context.grant }),
            onDone: [
              {
                guard: ({ event }) => Result.isSuccess(event.output) && event.output.success.published, target: "waitingForPeers",
                actions: assign({ node: ({ event }) => nodeOf(event.output), grant: undefined })
              },
              {
                guard: ({ event }) => Result.isSuccess(event.output), target: "reporting",
                actions: assign({ node: ({ event }) => nodeOf(event.output), grant: undefined })
              },
              { guard: ({ event, context }) => Result.isFailure(event.output) && event.output.failure.needsKey && context.grant === undefined, target: "requestingKey" },
              { target: "failed", actions: assign({ lastError: ({ event }) => reasonOf(event.output), grant: undefined }) }
            ]
          }
        },
        requestingKey: {
          description: "meshd has no usable state: asks the control plane for a key.",
          invoke: {
            src: "requestKey", input: named,
            onDone: [
              { guard: ({ event }) => Result.isSuccess(event.output), target: "joining", actions: assign({ grant: ({ event }) => Result.getOrElse(event.output, () => undefined) }) },
              { target: "failed", actions: assign({ lastError: ({ event }) => reasonOf(event.output) }) }
            ]
          }
        },
        reporting: {
          description: "The node is new: tells the control plane, which publishes it.",
          invoke: {
            src: "report", input: named,
            onDone: [
              { guard: ({ event }) => Result.isSuccess(event.output), target: "waitingForPeers" },
              { target: "failed", actions: assign({ lastError: ({ event }) => reasonOf(event.output) }) }
            ]
          }
        },
        waitingForPeers: {
          description: "Joined; no peer can be reached yet.",
          entry: assign({ lastError: null }),
          always: [{ guard: "ready", target: "joined" }, { guard: "lost", target: "failed", actions: "explainLoss" }]
        },
        joined: {
          description: "In the mesh: a peer can be reached, or none is online.",
          entry: assign({ attempt: 0 }), always: { guard: ({ context }) => context.node?.state !== "ready", target: "degraded" }
        },
        degraded: {
          description: "In the mesh, but no peer that is online can be reached; or not in it any more.",
          always: [{ guard: "ready", target: "joined" }, { guard: "lost", target: "failed", actions: "explainLoss" }]
        },
        failed: {
          description: "Could not join, lost its place, or meshd is away. Tries again after 250 ms to 15 s.",
          exit: assign({ attempt: ({ context }) => context.attempt + 1 }), after: { retry: "joining" }
        }
      }
    },
    lingering: {
      description: "The last sandbox of the network has left this host; one that comes back within a minute costs no new join.",
      invoke: { src: "membersPresent", input: named, onDone: "member" }, after: { linger: "leaving" }
    },
    leaving: {
      description: "meshd leaves the mesh and forgets its state.",
      invoke: {
        src: "leave", input: named,
        onDone: [
          { guard: ({ event }) => Result.isSuccess(event.output), target: "left" },
          { target: "stuck", actions: assign({ lastError: ({ event }) => reasonOf(event.output) }) }
        ]
      }
    },
    stuck: {
      description: "Could not leave. Tries again after 250 ms to 15 s.",
      exit: assign({ attempt: ({ context }) => context.attempt + 1 }),
      invoke: { src: "membersPresent", input: named, onDone: "member" },
      after: { retry: "leaving" }
    }
  }
})
