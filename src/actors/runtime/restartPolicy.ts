/**
 * The rules of restarting, as pure functions: who is restarted with whom, how often is too often,
 * how long to wait. They are Erlang/OTP's, with a back-off added.
 */
import type { Backoff, Intensity, Restart, Strategy } from "./ChildSpec.ts"
import type { Outcome } from "./Process.ts"

export const isRestarted = (restart: Restart, outcome: Outcome): boolean =>
  restart === "permanent" || (restart === "transient" && outcome._tag === "Crashed")

/** The children that go down and come up together when `failed` crashes, in start order. */
export const affectedBy = <Child>(strategy: Strategy, children: ReadonlyArray<Child>, failed: Child): ReadonlyArray<Child> => {
  switch (strategy) {
    case "oneForOne":
      return [failed]
    case "oneForAll":
      return children
    case "restForOne":
      return children.slice(children.indexOf(failed))
  }
}

/** Counts restarts in a sliding window. */
export class RestartBudget {
  readonly #intensity: Intensity
  #spent: Array<number> = []

  constructor(intensity: Intensity) {
    this.#intensity = intensity
  }

  /** Spends one restart. False: that was one too many. */
  spend(now: number): boolean {
    if (this.#intensity.restarts === Infinity) return true
    this.#spent = this.#spent.filter((at) => now - at < this.#intensity.withinMs)
    this.#spent.push(now)
    return this.#spent.length <= this.#intensity.restarts
  }
}

/** A supervisor that never gives up must not restart in a hot loop either. */
export const backoffOf = (backoff: Backoff | undefined, intensity: Intensity): Backoff =>
  backoff ?? (intensity.restarts === Infinity ? { initialMs: 100, maxMs: 10_000 } : { initialMs: 0, maxMs: 0 })

/** `failures`: crashes in a row, this one included. */
export const backoffDelay = (backoff: Backoff, failures: number): number =>
  Math.min(backoff.maxMs, backoff.initialMs * 2 ** Math.min(failures - 1, 30))
