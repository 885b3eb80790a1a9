/** The actors of one process as a test sets them, answered by the contract of `SightRpcs`: a journal that wakes who waits for it. */
import { Effect, Latch } from "effect"
import type { ActorDetail, ActorState, Chart, JournalEntry, JournalPage } from "../../src/domain/Sight.ts"
import { type JournalRequest, NoSuchActor } from "../../src/protocol/sight/SightRpcs.ts"
import { Changes } from "./Changes.ts"

export const actorState = (address: string, fields: Partial<ActorState> = {}): ActorState => ({
  address, kind: "machine", machine: "someMachine", status: "running", state: "idle", since: 0, restarts: 0, mailbox: 0, lastError: null, ...fields
})

export class FakeSight {
  actors: ReadonlyArray<ActorState> = []
  charts: ReadonlyArray<Chart> = []
  readonly details = new Map<string, Partial<ActorDetail>>()
  readonly entries: Array<JournalEntry> = []
  #lives = 1
  readonly #changes = new Changes()
  #asked = 0
  readonly #appended = Latch.makeUnsafe()

  append(address: string, fields: Partial<JournalEntry> = {}): void {
    const seq = (this.entries.at(-1)?.seq ?? 0) + 1
    this.entries.push({ seq, at: seq * 1000, address, kind: "event", event: "tick", from: null, state: null, detail: null, ...fields })
    this.#appended.openUnsafe()
    this.#appended.closeUnsafe()
  }

  /** Until the journal was asked so often. */
  asked(times: number): Effect.Effect<void> {
    return this.#changes.until(`the journal is asked ${times} times`, () => this.#asked >= times)
  }

  /** As after a restart of the process: everything counts from 1 again. What is appended in the same breath is there before anybody asks. */
  restart(): void {
    this.entries.length = 0
    this.#lives++
  }

  actor(address: string): Effect.Effect<ActorDetail, NoSuchActor> {
    const actor = this.actors.find((one) => one.address === address)
    return actor === undefined
      ? Effect.fail(new NoSuchActor({ message: `There is no actor "${address}".`, hint: "gstacks debug actors -o name" }))
      : Effect.succeed({ actor, chart: null, active: [], accepts: [], context: {}, output: null, history: this.entries.filter((entry) => entry.address === address), ...this.details.get(address) })
  }

  journal({ prefix = "", after = 0, instance, limit = 1000, waitMs = 0 }: JournalRequest): Effect.Effect<JournalPage> {
    return Effect.suspend(() => {
      this.#asked++
      this.#changes.told()
      const own = `life-${this.#lives}`
      const isAnother = instance !== undefined && instance !== own
      const newest = this.entries.at(-1)?.seq ?? 0
      const fresh = this.entries.filter((entry) => isAnother || after > newest || entry.seq > after) // a number that was never given: from the oldest
      const entries = fresh.filter(({ address }) => prefix === "" || address === prefix || address.startsWith(`${prefix}/`)).slice(0, limit)
      if (entries.length > 0 || waitMs <= 0 || isAnother) return Effect.succeed({ entries, next: entries.at(-1)?.seq ?? newest, dropped: 0, instance: own })
      return Effect.flatMap(Effect.timeoutOption(this.#appended.await, waitMs), (woken) =>
        this.journal({ prefix, after, limit, waitMs: woken._tag === "None" ? 0 : waitMs, ...(instance === undefined ? {} : { instance }) }))
    })
  }
}

/** Handlers for a fake that serves `SightRpcs`. */
export const sightHandlersOf = (sight: FakeSight) => ({
  Actors: () => Effect.sync(() => sight.actors),
  Actor: ({ address }: { readonly address: string }) => sight.actor(address),
  Charts: () => Effect.sync(() => sight.charts),
  Journal: (request: JournalRequest) => sight.journal(request)
})
