/** What a supervisor sees of a running child, be it a machine or another supervisor. */
import type { Effect } from "effect"

export type Outcome =
  /** It came to its end by itself. */
  | { readonly _tag: "Ended" }
  /** It was told to stop. */
  | { readonly _tag: "Stopped" }
  | { readonly _tag: "Crashed"; readonly error: unknown }

/** Called once, when the child and all that it invoked are gone, or its deadline has passed. */
export type OnEnded = (outcome: Outcome) => void

export interface Process {
  /** Orderly, within the child's deadline; completes when the child has ended. */
  readonly stop: Effect.Effect<void>
  /** At once; finalizers are left to run by themselves. */
  readonly kill: () => void
}
