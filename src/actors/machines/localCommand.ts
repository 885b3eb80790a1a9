/**
 * A command of the developer that sees a network as a sandbox would, in namespaces of its own. meshd serves them for as long as the
 * command runs; while meshd is away, the kernel refuses whatever the command asks for.
 */
import { Result } from "effect"
import { assign, type PromiseActorLogic, setup } from "xstate"
import type { DurableState } from "../runtime/DurableState.ts"

export type LocalCommandEvent =
  | { readonly type: "meshd.lost" }
  | { readonly type: "meshd.ready" }
  | { readonly type: "stop" }
export interface NotServed { readonly reason: string }

interface Input { readonly id: string }
interface Context extends Input { lastError: string | null; attempt: number }
const named = ({ context }: { readonly context: Input }): Input => ({ id: context.id })

/** Nothing: a command hangs on whoever typed it, and its session on the process that was asked for it. */
export const survives: ReadonlyArray<DurableState<never>> = []

export const localCommandMachine = setup({
  types: { context: {} as Context, input: {} as Input, events: {} as LocalCommandEvent },
  actors: {
    enter: {} as PromiseActorLogic<Result.Result<void, NotServed>, Input>,
    leave: {} as PromiseActorLogic<Result.Result<void, never>, Input>
  },
  guards: {
    served: ({ event }) => Result.isSuccess((event as unknown as { readonly output: Result.Result<void, NotServed> }).output)
  },
  actions: { explain: assign(({ event }) => {
    const { output } = event as unknown as { readonly output: Result.Result<void, NotServed> }
    return { lastError: Result.isFailure(output) ? output.failure.reason : null }
  }) },
  delays: { retry: ({ context }) => Math.min(100 * 2 ** context.attempt, 5_000) }
}).createMachine({
  id: "localCommand",
  context: ({ input }) => ({ ...input, lastError: null, attempt: 0 }),
  initial: "entering",
  on: { stop: ".leaving" },
  states: {
    entering: {
      description: "meshd opens its listener and its DNS server in the command's namespace, with the permits of now.",
      invoke: {
        src: "enter", input: named,
        onDone: [
          { guard: "served", target: "inside", actions: assign({ lastError: null, attempt: 0 }) },
          { target: "outside", actions: "explain" }
        ]
      }
    },
    inside: {
      description: "The command sees the network's names and reaches what the policy permits.",
      on: { "meshd.lost": { target: "outside", actions: assign({ lastError: "meshd is away" }) } }
    },
    outside: {
      description: "meshd does not serve the namespace: whatever the command asks for is refused. Tried again after 100 ms to 5 s, or when meshd is back.",
      exit: assign({ attempt: ({ context }) => context.attempt + 1 }),
      on: { "meshd.ready": "entering" },
      after: { retry: "entering" }
    },
    leaving: {
      description: "meshd leaves the namespace; its table stays there and refuses.",
      on: { stop: {} },
      invoke: { src: "leave", input: named, onDone: "left" }
    },
    left: { description: "The command has ended, or is served no more.", type: "final" }
  }
})
