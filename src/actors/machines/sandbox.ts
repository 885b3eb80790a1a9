/**
 * One sandbox of the built-in driver. Its process outlives the agent: a new agent finds it, running or ended. The program
 * starts only once its network is in force, and an end is never lost. Both final states say how it ended.
 */
import { Result, Schema } from "effect"
import { assign, type PromiseActorLogic, setup } from "xstate"
import { SandboxId } from "../../domain/Ids.ts"
import { SandboxSpec } from "../../domain/Sandbox.ts"
import { durableState, unchanged } from "../runtime/DurableState.ts"

export interface SandboxEnd { readonly exitCode: number | null; readonly reason: string | null }
/** What an earlier agent left behind. */
export type Found =
  | { readonly kind: "nothing" }
  | { readonly kind: "held" }
  | { readonly kind: "running" }
  | { readonly kind: "ended"; readonly end: SandboxEnd }
export interface SandboxProblem { readonly reason: string }
type Named = { readonly id: SandboxId }
type Step<A, E = never> = PromiseActorLogic<Result.Result<A, E>, Named>

const endOf = (output: Result.Result<SandboxEnd, never>): SandboxEnd => Result.getOrElse(output, () => ({ exitCode: null, reason: null }))
const foundIs = (output: Result.Result<Found, never>, kind: Found["kind"]): boolean => Result.isSuccess(output) && output.success.kind === kind

export const Wanted = Schema.Struct({ id: SandboxId, name: Schema.String, spec: SandboxSpec })
export type Wanted = typeof Wanted.Type

/** How it does is in the files of its shim (docs/protocol.md, "Sandbox shim"), which outlives the agent. */
export const wantedState = durableState({
  machine: "sandbox", what: "what its owner asked for", without: "it is known by its id alone: it can be stopped and removed, not started",
  schema: Wanted, migrations: [unchanged]
})
export const survives = [wantedState]

export const sandboxMachine = setup({
  types: {
    context: {} as Named & SandboxEnd,
    input: {} as Named,
    events: {} as { readonly type: "sandbox.stop" },
    output: {} as SandboxEnd
  },
  actors: {
    find: {} as Step<Found>,
    /** Starts it, held before its program. */
    launch: {} as Step<void, SandboxProblem>,
    /** Brings its network into force and lets the program go. */
    admit: {} as Step<void, SandboxProblem>,
    ended: {} as Step<SandboxEnd>,
    terminate: {} as Step<SandboxEnd>
  },
  actions: {
    keepProblem: assign((_, problem: SandboxProblem) => ({ exitCode: null, reason: problem.reason })),
    keepEnd: assign((_, end: SandboxEnd) => end)
  }
}).createMachine({
  id: "sandbox",
  context: ({ input }) => ({ id: input.id, exitCode: null, reason: null }),
  initial: "preparing",
  output: ({ context: { exitCode, reason } }) => ({ exitCode, reason }),
  states: {
    preparing: {
      description: "Its program does not run yet.",
      initial: "finding",
      on: { "sandbox.stop": "stopping" },
      states: {
        finding: {
          description: "Looks for what an earlier agent left behind: a living shim, or word of an end.",
          invoke: {
            src: "find", input: ({ context: { id } }) => ({ id }),
            onDone: [
              { guard: ({ event }) => foundIs(event.output, "running"), target: "#sandbox.running" },
              { guard: ({ event }) => foundIs(event.output, "held"), target: "admitting" },
              { guard: ({ event }) => foundIs(event.output, "nothing"), target: "launching" },
              {
                target: "#sandbox.judging",
                actions: { type: "keepEnd", params: ({ event }) => Result.isSuccess(event.output) && event.output.success.kind === "ended" ? event.output.success.end : { exitCode: null, reason: null } }
              }
            ]
          }
        },
        launching: {
          description: "Starts the shim, which holds bubblewrap before the program.",
          invoke: {
            src: "launch", input: ({ context: { id } }) => ({ id }),
            onDone: [
              { guard: ({ event }) => Result.isSuccess(event.output), target: "admitting" },
              { target: "#sandbox.abandoning", actions: { type: "keepProblem", params: ({ event }) => Result.isFailure(event.output) ? event.output.failure : { reason: "" } } }
            ]
          }
        },
        admitting: {
          description: "Brings its network into force, then lets the program go.",
          invoke: {
            src: "admit", input: ({ context: { id } }) => ({ id }),
            onDone: [
              { guard: ({ event }) => Result.isSuccess(event.output), target: "#sandbox.running" },
              { target: "#sandbox.abandoning", actions: { type: "keepProblem", params: ({ event }) => Result.isFailure(event.output) ? event.output.failure : { reason: "" } } }
            ]
          }
        }
      }
    },
    running: {
      description: "Its program runs.",
      invoke: {
        src: "ended", input: ({ context: { id } }) => ({ id }),
        onDone: { target: "judging", actions: { type: "keepEnd", params: ({ event }) => endOf(event.output) } }
      },
      on: { "sandbox.stop": "stopping" }
    },
    stopping: {
      description: "Asked to end: TERM, and KILL ten seconds later.",
      invoke: {
        src: "terminate", input: ({ context: { id } }) => ({ id }),
        onDone: { target: "stopped", actions: { type: "keepEnd", params: ({ event }) => endOf(event.output) } }
      }
    },
    abandoning: {
      description: "It could not be started: nothing of it may stay. The reason stands already.",
      invoke: { src: "terminate", input: ({ context: { id } }) => ({ id }), onDone: "failed" }
    },
    judging: {
      description: "Its program has ended. Decides what that was.",
      always: [{ guard: ({ context }) => context.reason !== null, target: "failed" }, { target: "stopped" }]
    },
    stopped: { description: "Its program has ended; its exit code is known.", type: "final" },
    failed: { description: "It could not be started, or nobody knows how it ended; the reason is known.", type: "final" }
  }
})
