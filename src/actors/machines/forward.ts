/**
 * A local address that leads to an alias and port. It listens exactly while the policy permits it, so that a denial is refused by the
 * kernel at once; a restart of the target, of agents or of the control plane does not close it, and meshd lets new connections wait.
 */
import { Result } from "effect"
import { assign, type PromiseActorLogic, setup } from "xstate"
import type { DurableState } from "../runtime/DurableState.ts"

/** `route` tells one way from another: who is the source, and where the alias is. */
export interface Situation { readonly permitted: boolean; readonly meshd: boolean; readonly route: string }
export type ForwardEvent =
  | { readonly type: "situation.changed"; readonly situation: Situation }
  | { readonly type: "stop" }
/** `final`: nobody but the user can mend that, such as a port that is taken. */
export interface NotListening { readonly reason: string; readonly final: boolean }

interface Input { readonly id: string; readonly situation: Situation }
interface Context extends Input { opened: string | null; bound: string | null; lastError: string | null; attempt: number; once: boolean }
interface Named { readonly id: string }
const named = ({ context }: { readonly context: Named }): Named => ({ id: context.id })

/** Nothing: a forward ends with the process that was asked for it. */
export const survives: ReadonlyArray<DurableState<never>> = []

export const forwardMachine = setup({
  types: { context: {} as Context, input: {} as Input, events: {} as ForwardEvent },
  actors: {
    /** Answers where it listens. One that is open is led to where the alias is now. */
    open: {} as PromiseActorLogic<Result.Result<string, NotListening>, Named>,
    close: {} as PromiseActorLogic<Result.Result<void, never>, Named>
  },
  guards: {
    away: ({ context }) => !context.situation.meshd,
    denied: ({ context }) => !context.situation.permitted,
    permitted: ({ context }) => context.situation.meshd && context.situation.permitted,
    led: ({ context }) => context.situation.route !== context.opened,
    listens: ({ event }) => Result.isSuccess((event as unknown as { readonly output: Result.Result<string, NotListening> }).output),
    /** A port that it had once may be free again. */
    refused: ({ event, context }) => {
      const { output } = event as unknown as { readonly output: Result.Result<string, NotListening> }
      return Result.isFailure(output) && output.failure.final && !context.once
    }
  },
  actions: { explain: assign(({ event }) => {
    const { output } = event as unknown as { readonly output: Result.Result<string, NotListening> }
    return { lastError: Result.isFailure(output) ? output.failure.reason : null }
  }) },
  delays: { retry: ({ context }) => Math.min(100 * 2 ** context.attempt, 5_000) }
}).createMachine({
  id: "forward",
  context: ({ input }) => ({ ...input, opened: null, bound: null, lastError: null, attempt: 0, once: false }),
  initial: "denied",
  on: {
    "situation.changed": { actions: assign({ situation: ({ event }) => event.situation }) },
    stop: ".ending"
  },
  states: {
    denied: {
      description: "The policy permits nothing now: the address is closed, and whoever dials it is refused.",
      always: [{ guard: "permitted", target: "opening" }, { guard: "away", target: "away" }]
    },
    away: {
      description: "meshd is away, and the address with it. Both come back by themselves.",
      always: [{ guard: "permitted", target: "opening" }]
    },
    opening: {
      description: "meshd opens the address, or leads it to where the alias is now.",
      entry: assign({ opened: ({ context }) => context.situation.route }),
      invoke: {
        src: "open", input: named,
        onDone: [
          { guard: "listens", target: "listening", actions: assign({ bound: ({ event }) => Result.getOrElse(event.output, () => null), lastError: null, attempt: 0, once: true }) },
          { guard: "refused", target: "refused", actions: "explain" },
          { target: "pausing", actions: "explain" }
        ]
      }
    },
    listening: {
      description: "Connections are taken, each apart from the others.",
      always: [{ guard: "away", target: "away" }, { guard: "denied", target: "closing" }, { guard: "led", target: "opening" }]
    },
    closing: {
      description: "The policy denies it now: the address is being closed.",
      invoke: { src: "close", input: named, onDone: "denied" }
    },
    pausing: {
      description: "The address could not be opened. Tries again after 100 ms to 5 s.",
      exit: assign({ attempt: ({ context }) => context.attempt + 1 }),
      after: { retry: "denied" }
    },
    ending: {
      description: "Closes the address, and resets its connections.",
      on: { stop: {} },
      invoke: { src: "close", input: named, onDone: "closed" }
    },
    closed: { description: "Nothing of it is left.", type: "final" },
    refused: { description: "The address cannot be had: it is taken, or not this user's to open.", type: "final" }
  }
})
