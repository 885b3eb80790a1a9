/**
 * What a supervisor sees of a running child, be it a machine or another supervisor.
 */
import type { Fiber } from "effect"
import type { Effect } from "effect"

export type Outcome =
  /** It came to its end by itself. */
  | { readonly _tag: "Ended"; readonly output: unknown }
  /** It was told to stop. */
  | { readonly _tag: "Stopped" }
  | { readonly _tag: "Crashed"; readonly error: unknown }

export interface Process {
  /** Completes once the child and all that it invoked are gone, or its deadline has passed. Never fails. */
  readonly fiber: Fiber.Fiber<Outcome>
  /** Orderly, within the child's deadline. */
  readonly stop: Effect.Effect<void>
  /** At once; finalizers are left to run by themselves. */
  readonly kill: () => void
}
