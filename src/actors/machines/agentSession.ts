/**
 * One connection of one agent: learn what it has, bring every network up to date, then keep asking whether it is still there. A
 * dead peer is noticed within heartbeat plus answer time (8 s). It ends by closing the connection; the agent dials again.
 */
import { Result } from "effect"
import { assign, type DoneActorEvent, type PromiseActorLogic, setup } from "xstate"
import type { AgentId } from "../../domain/Ids.ts"
import type { AgentUnavailable, StoreUnavailable } from "../../domain/Problems.ts"
import type { DurableState } from "../runtime/DurableState.ts"

export type Answered = Result.Result<void, AgentUnavailable | StoreUnavailable>
/** Sent when a newer connection takes its place, or the control plane stops. */
export type AgentSessionEvent = { readonly type: "session.stop" }

const answer = (event: unknown): Answered => (event as DoneActorEvent<Answered>).output

/** Asks the agent something; without an answer the connection is of no use. */
const asking = <const Src extends string>(src: Src, then: string, description: string) => ({
  description,
  invoke: {
    id: src, src,
    onDone: [
      { guard: "failed" as const, target: "#agentSession.closing", actions: "explain" as const },
      { target: then }
    ]
  }
})

/** Nothing: the agent dials again. */
export const survives: ReadonlyArray<DurableState<never>> = []

export const agentSessionMachine = setup({
  types: {
    context: {} as { agentId: AgentId; agent: string; reason: string },
    input: {} as { agentId: AgentId; agent: string },
    events: {} as AgentSessionEvent
  },
  actors: {
    takeStock: {} as PromiseActorLogic<Answered, void>,
    synchronize: {} as PromiseActorLogic<Answered, void>,
    heartbeat: {} as PromiseActorLogic<Answered, void>,
    close: {} as PromiseActorLogic<Result.Result<void, never>, { reason: string }>
  },
  delays: { heartbeatMs: 3000 },
  guards: { failed: ({ event }) => Result.isFailure(answer(event)) },
  actions: {
    explain: assign(({ event }) => Result.match(answer(event), { onFailure: (problem) => ({ reason: problem.detail }), onSuccess: () => ({}) }))
  }
}).createMachine({
  id: "agentSession",
  context: ({ input }) => ({ ...input, reason: "" }),
  initial: "open",
  states: {
    open: {
      description: "The connection is in use.",
      initial: "attaching",
      on: { "session.stop": "closing" },
      states: {
        attaching: asking("takeStock", "synchronizing", "Asks the agent which networks it has, in which versions."),
        synchronizing: asking("synchronize", "online", "Brings its networks up to date."),
        online: { description: "Up to date when it was last asked.", after: { heartbeatMs: "checking" } },
        checking: asking("heartbeat", "online", "Asks whether it is still there, for at most 5 s.")
      }
    },
    closing: {
      description: "Closes the connection.",
      invoke: { id: "close", src: "close", input: ({ context }) => ({ reason: context.reason }), onDone: "closed" }
    },
    closed: { description: "The connection is closed; the agent may dial again.", type: "final" }
  }
})
