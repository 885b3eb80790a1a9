/**
 * Starts and restarts children by their specs, as Erlang/OTP's supervisors do. Promises: children
 * start in order and stop in reverse, each within its deadline; a crash is restarted by the strategy;
 * more crashes than the intensity allows stop everything below and escalate to the parent, and at
 * the root complete `failed`.
 */
import { Effect, type Scope } from "effect"
import { ActorSystem } from "./ActorSystem.ts"
import type { AddressGone, AlreadyStarted, MailboxFull, SupervisorFailed } from "./ActorErrors.ts"
import type { ChildSpec, SupervisorOptions } from "./ChildSpec.ts"
import { ActorEntry } from "./Registry.ts"
import { startSupervisor } from "./supervisorProcess.ts"

export interface SupervisorRef {
  readonly address: string
  /**
   * Adds a child after the others and starts it. Replaces an ended child of that id. The child is
   * forgotten when this supervisor itself is restarted. Refused when 1,024 requests (the system's
   * size of mailboxes) wait already.
   */
  readonly startChild: (spec: ChildSpec) => Effect.Effect<void, AlreadyStarted | AddressGone | MailboxFull>
  /** Stops a child, waits for its end and removes it. Does nothing when there is none; never refused. */
  readonly stopChild: (id: string) => Effect.Effect<void>
  /** Fails once the restart intensity is exceeded and all children have been stopped. */
  readonly failed: Effect.Effect<never, SupervisorFailed>
  /** As `failed`; completes also when it was stopped, or a significant child ended it. */
  readonly ended: Effect.Effect<void, SupervisorFailed>
}

export interface StartOptions extends SupervisorOptions {
  /** May be "": then the children's addresses are their bare ids. */
  readonly address: string
}

/** Returns when every child has been started once. Closing the scope stops them, last one first. */
export const start = Effect.fnUntraced(function*(options: StartOptions): Effect.fn.Return<SupervisorRef, never, ActorSystem | Scope.Scope> {
  const { host } = yield* ActorSystem
  const entry = new ActorEntry({
    address: options.address,
    kind: "supervisor",
    machine: options.strategy,
    logic: undefined,
    upkeep: { intensity: options.intensity, backoff: options.backoff },
    allow: [],
    showOutput: false,
    parent: undefined,
    since: host.now()
  })
  const root = yield* Effect.acquireRelease(
    Effect.suspend(() => {
      host.registry.add(entry)
      host.note(entry, "started", entry.machine)
      return startSupervisor({ ...options, backoff: options.backoff, shutdownMs: Infinity }, entry, host, (outcome) => {
        if (outcome._tag === "Ended") host.note(entry, "ended")
      })
    }),
    (root) => Effect.andThen(
        root.stop,
        Effect.sync(() => {
          host.note(entry, "stopped")
          host.registry.remove(entry)
          host.note(entry, "removed")
        })
      )
  )
  return root.ref
})
