/**
 * The Headscale that the control plane runs: prepared (deny-all policy in place), started or taken over, authorized, watched, and
 * started again with growing pauses when it ends. On `stop` it is ended before the actor is.
 */
import { Result, Schema } from "effect"
import { assign, type DoneActorEvent, type PromiseActorLogic, setup } from "xstate"
import { durableState } from "../runtime/DurableState.ts"

export interface Running { readonly pid: number; readonly startTime: number }
export interface Trouble { readonly step: string; readonly reason: string }
/** Prepared: the process that may be taken over, if there is one. */
export type Prepared = Result.Result<Running | undefined, Trouble>
export type Started = Result.Result<Running, Trouble>
export type Authorized = Result.Result<void, Trouble>

interface Context {
  readonly process: Running | undefined
  readonly attempt: number
  readonly lastTrouble: string | null
}

const output = <A>(event: unknown): Result.Result<A, Trouble> => (event as DoneActorEvent<Result.Result<A, Trouble>>).output

/** Headscale keeps the rest in its database; its process is found by its arguments. */
export const accessState = durableState({
  machine: "managedHeadscale", what: "the key to Headscale's API", without: "a new one is made, with Headscale's own command",
  schema: Schema.Struct({ apiKey: Schema.String }), migrations: [(key: string) => ({ apiKey: key.trim() })]
})
export const survives = [accessState]

export const firstPauseMs = 200
export const longestPauseMs = 15_000

export const managedHeadscaleMachine = setup({
  types: { context: {} as Context, events: {} as { readonly type: "stop" } },
  actors: {
    prepare: {} as PromiseActorLogic<Prepared, void>,
    start: {} as PromiseActorLogic<Started, void>,
    authorize: {} as PromiseActorLogic<Authorized, void>,
    /** Ends when the process does. */
    watch: {} as PromiseActorLogic<Result.Result<void, never>, Running>,
    end: {} as PromiseActorLogic<Result.Result<void, never>, Running>
  },
  delays: {
    pause: ({ context }) => Math.min(longestPauseMs, firstPauseMs * 2 ** (context.attempt - 1)),
    settled: 60_000
  },
  guards: {
    failed: ({ event }) => Result.isFailure(output(event)),
    tookOver: ({ event }) => Result.match(output<Running | undefined>(event), { onFailure: () => false, onSuccess: (running) => running !== undefined }),
    hasProcess: ({ context }) => context.process !== undefined
  },
  actions: {
    adopt: assign(({ event }) => Result.match(output<Running | undefined>(event), { onFailure: () => ({}), onSuccess: (process) => ({ process }) })),
    explain: assign(({ context, event }) => Result.match(output(event), {
      onFailure: ({ step, reason }) => ({ attempt: context.attempt + 1, lastTrouble: `could not ${step}: ${reason}` }), onSuccess: () => ({})
    })),
    lose: assign(({ context }) => ({ process: undefined, attempt: context.attempt + 1, lastTrouble: "it ended" })),
    forget: assign({ process: undefined }),
    calm: assign({ attempt: 0, lastTrouble: null })
  }
}).createMachine({
  id: "managedHeadscale",
  context: { process: undefined, attempt: 0, lastTrouble: null },
  initial: "preparing",
  on: { stop: [{ guard: "hasProcess", target: ".stopping" }, { target: ".stopped" }] },
  states: {
    preparing: {
      description: "Writes the configuration and the deny-all policy; looks for a process that a predecessor left behind.",
      invoke: {
        id: "prepare", src: "prepare",
        onDone: [
          { guard: "failed", target: "pausing", actions: "explain" },
          { guard: "tookOver", target: "authorizing", actions: "adopt" },
          { target: "starting" }
        ]
      }
    },
    starting: {
      description: "Starts the process and waits until it is healthy.",
      invoke: {
        id: "start", src: "start",
        onDone: [{ guard: "failed", target: "pausing", actions: "explain" }, { target: "authorizing", actions: "adopt" }]
      }
    },
    authorizing: {
      description: "Makes sure that there is an API key that it accepts.",
      invoke: {
        id: "authorize", src: "authorize",
        onDone: [{ guard: "failed", target: "ending", actions: "explain" }, { target: "running" }]
      }
    },
    running: {
      description: "It runs, and can be asked.",
      after: { settled: { actions: "calm" } },
      invoke: { id: "watch", src: "watch", input: ({ context }) => context.process!, onDone: { target: "pausing", actions: "lose" } }
    },
    ending: {
      description: "It runs but is of no use, since without an API key nothing can be asked of it: ends it.",
      invoke: { id: "end", src: "end", input: ({ context }) => context.process!, onDone: { target: "pausing", actions: "forget" } }
    },
    pausing: {
      description: "It does not run. Starts it again after 0.2 to 15 s.",
      after: { pause: "preparing" }
    },
    stopping: {
      description: "The control plane ends: ends it first.",
      on: { stop: {} },
      invoke: { id: "end", src: "end", input: ({ context }) => context.process!, onDone: "stopped" }
    },
    stopped: { description: "It does not run any more.", type: "final" }
  }
})
