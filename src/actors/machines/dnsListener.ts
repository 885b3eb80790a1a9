/** The host's DNS listener: bind, serve, and bind again when the address was taken or the socket died. */
import { assign, type CallbackActorLogic, type EventObject, setup } from "xstate"
import type { DurableState } from "../runtime/DurableState.ts"

export type DnsListenerEvent =
  | { readonly type: "dns.bound"; readonly address: string }
  | { readonly type: "dns.lost"; readonly reason: string }

/** Nothing: zones follow from the topologies. */
export const survives: ReadonlyArray<DurableState<never>> = []

export const dnsListenerMachine = setup({
  types: {
    context: {} as { attempt: number; address: string | null; lastError: string | null },
    events: {} as DnsListenerEvent
  },
  actors: { listen: {} as CallbackActorLogic<EventObject, {}> },
  delays: { rebind: ({ context }) => Math.min(250 * 2 ** context.attempt, 10_000) }
}).createMachine({
  id: "dnsListener",
  context: { attempt: 0, address: null, lastError: null },
  initial: "open",
  states: {
    open: {
      description: "A socket is bound, or being bound.",
      invoke: { src: "listen", input: {} },
      initial: "binding",
      states: {
        binding: {
          description: "Binds UDP and TCP.",
          on: { "dns.bound": { target: "serving", actions: assign({ address: ({ event }) => event.address }) } }
        },
        serving: {
          description: "Answers questions.",
          entry: assign({ attempt: 0, lastError: null })
        }
      },
      on: { "dns.lost": { target: "rebinding", actions: assign({ lastError: ({ event }) => event.reason, address: null }) } }
    },
    rebinding: {
      description: "The address is somebody else's, or the socket died. Binds again after 250 ms to 10 s.",
      exit: assign({ attempt: ({ context }) => context.attempt + 1 }), after: { rebind: "open" }
    }
  }
})
