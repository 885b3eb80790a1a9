/**
 * Who is shown all that XState tells of every machine, at the instant it happens: a state is told before the Effects that it
 * invokes start. Nobody is by default. Tests stop a whole process there, to kill it in a state of their choice.
 */
import { Context } from "effect"
import type { InspectionEvent } from "xstate"

/** Must not throw. */
export type Inspect = (address: string, event: InspectionEvent) => void

export const Inspector = Context.Reference<Inspect | undefined>("gstacks/actors/Inspector", { defaultValue: () => undefined })
