/**
 * This host's membership in one network's mesh. It joins when a local sandbox is attached, asking for a key only when meshd
 * has no usable state; reports a new node, so that the control plane publishes it; and leaves a minute after the last local
 * sandbox, so that a sandbox that is replaced costs no new join.
 */
import { Result } from "effect"
import { assign, type CallbackActorLogic, type EventObject, type PromiseActorLogic, setup } from "xstate"
import type { NetworkId } from "../../domain/Ids.ts"
import type { JoinGrant } from "../../protocol/agent/ControlRpcs.ts"
import type { NodeStatus } from "../../protocol/meshd/Messages.ts"

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
  guards: { ready: ({ context }) => context.node?.state === "ready" },
  delays: { retry: ({ context }) => Math.min(250 * 2 ** context.attempt, 15_000), linger: 60_000 }
}).createMachine({
  id: "networkJoin",
  context: ({ input }) => ({ networkId: input.networkId, grant: undefined, node: undefined, attempt: 0, lastError: null }),
  initial: "left",
  states: {
    left: { entry: assign({ node: undefined, attempt: 0, lastError: null }), invoke: { src: "membersPresent", input: named, onDone: "member" } },
    member: {
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
          invoke: {
            src: "requestKey", input: named,
            onDone: [
              { guard: ({ event }) => Result.isSuccess(event.output), target: "joining", actions: assign({ grant: ({ event }) => Result.getOrElse(event.output, () => undefined) }) },
              { target: "failed", actions: assign({ lastError: ({ event }) => reasonOf(event.output) }) }
            ]
          }
        },
        reporting: {
          invoke: {
            src: "report", input: named,
            onDone: [
              { guard: ({ event }) => Result.isSuccess(event.output), target: "waitingForPeers" },
              { target: "failed", actions: assign({ lastError: ({ event }) => reasonOf(event.output) }) }
            ]
          }
        },
        waitingForPeers: { entry: assign({ attempt: 0, lastError: null }), always: { guard: "ready", target: "joined" } },
        joined: { always: { guard: ({ context }) => context.node?.state !== "ready", target: "degraded" } },
        degraded: { always: { guard: "ready", target: "joined" } },
        failed: { exit: assign({ attempt: ({ context }) => context.attempt + 1 }), after: { retry: "joining" } }
      }
    },
    lingering: { invoke: { src: "membersPresent", input: named, onDone: "member" }, after: { linger: "leaving" } },
    leaving: {
      invoke: {
        src: "leave", input: named,
        onDone: [
          { guard: ({ event }) => Result.isSuccess(event.output), target: "left" },
          { target: "stuck", actions: assign({ lastError: ({ event }) => reasonOf(event.output) }) }
        ]
      }
    },
    stuck: {
      exit: assign({ attempt: ({ context }) => context.attempt + 1 }),
      invoke: { src: "membersPresent", input: named, onDone: "member" },
      after: { retry: "leaving" }
    }
  }
})
