/**
 * A port of this machine as an alias of a network: asked for, in force once the topology that this machine has names it, and over when its time
 * is, when it is withdrawn, or when the control plane names it no longer. What is over is not asked for again by itself.
 */
import { Result } from "effect"
import { assign, type PromiseActorLogic, setup } from "xstate"
import type { DurableState } from "../runtime/DurableState.ts"

/** What the topology that this machine has says of the alias: nothing yet, that it is there, or that it is there no longer. */
export type Sighting = "coming" | "there" | "gone"
export type PublicationEvent =
  | { readonly type: "topology.seen"; readonly sighting: Sighting }
  | { readonly type: "prolonged"; readonly until: Until }
  | { readonly type: "stop" }

/** `leftMs` from when it was granted; `expiresAt` as ISO 8601. */
export interface Until { readonly expiresAt: string; readonly leftMs: number }
export interface NotPublished { readonly code: string; readonly reason: string; readonly next: string }
interface Named { readonly id: string }
interface Context extends Named { expiresAt: string | null; leftMs: number; sighting: Sighting; lastError: string | null; code: string | null; next: string | null }
type Outcome = Result.Result<Until, NotPublished>

const named = ({ context }: { readonly context: Named }): Named => ({ id: context.id })

/** Nothing: it ends with the join, and that with the process. */
export const survives: ReadonlyArray<DurableState<never>> = []

export const publicationMachine = setup({
  types: { context: {} as Context, input: {} as Named, events: {} as PublicationEvent },
  actors: {
    request: {} as PromiseActorLogic<Outcome, Named>,
    /** Answers when no stream comes to it any more; tells the control plane if it can be told. */
    withdraw: {} as PromiseActorLogic<Result.Result<void, never>, Named>
  },
  guards: {
    granted: ({ event }) => Result.isSuccess((event as unknown as { readonly output: Outcome }).output),
    there: ({ context }) => context.sighting === "there",
    gone: ({ context }) => context.sighting === "gone"
  },
  actions: {
    explain: assign(({ event }) => {
      const { output } = event as unknown as { readonly output: Outcome }
      return Result.isFailure(output) ? { lastError: output.failure.reason, code: output.failure.code, next: output.failure.next } : {}
    })
  },
  delays: { announcement: 15_000, time: ({ context }) => context.leftMs, forget: 600_000 }
}).createMachine({
  id: "publication",
  context: ({ input }) => ({ id: input.id, expiresAt: null, leftMs: 0, sighting: "coming", lastError: null, code: null, next: null }),
  initial: "requesting",
  on: { "topology.seen": { actions: assign({ sighting: ({ event }) => event.sighting }) } },
  states: {
    requesting: {
      description: "Asks the control plane for the alias.",
      invoke: {
        src: "request", input: named,
        onDone: [
          { guard: "granted", target: "announcing", actions: assign(({ event }) => Result.getOrElse(event.output, () => ({}))) },
          { target: "refused", actions: "explain" }
        ]
      },
      on: { stop: "withdrawing" }
    },
    announcing: {
      description: "Granted. This machine has not heard of it with the topology yet, and lets nobody in before.",
      always: [{ guard: "there", target: "published" }, { guard: "gone", target: "withdrawing", actions: assign({ lastError: "the control plane has ended it" }) }],
      after: { announcement: { target: "withdrawing", actions: assign({ lastError: "this machine has not heard of it within 15 s" }) } },
      on: { stop: "withdrawing" }
    },
    published: {
      description: "Those whom rules let in reach the port.",
      always: { guard: "gone", target: "withdrawing", actions: assign({ lastError: "the control plane has ended it: it was removed, the right was revoked, or the join has ended" }) },
      after: { time: { target: "withdrawing", actions: assign({ lastError: "its time is over" }) } },
      on: {
        prolonged: { target: "published", reenter: true, actions: assign(({ event }) => event.until) },
        stop: { target: "withdrawing", actions: assign({ lastError: "it was withdrawn" }) }
      }
    },
    withdrawing: {
      description: "Lets nobody in any more, resets what is open, and tells the control plane.",
      invoke: { src: "withdraw", input: named, onDone: "ended" }
    },
    ended: {
      description: "Nothing of it is left. Said for ten minutes, then forgotten.",
      after: { forget: "forgotten" }, on: { stop: "forgotten" }
    },
    refused: { description: "The control plane does not grant it.", type: "final" },
    forgotten: { description: "Not spoken of any more.", type: "final" }
  }
})
