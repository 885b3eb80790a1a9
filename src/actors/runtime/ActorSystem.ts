/**
 * The actors of this process, seen from outside: send one an event, look at it, wait for it, watch
 * it, read its history. Promises that an event for an actor that is not there, or that cannot keep
 * up, is a typed failure and never silence.
 */
import { Clock, Context, Effect, type Fiber, Layer, Queue, Stream } from "effect"
import type { JournalKind } from "../../domain/Sight.ts"
import { AddressGone, MailboxFull } from "./ActorErrors.ts"
import { errorDetail } from "./errorText.ts"
import { type Inspect, Inspector } from "./Inspector.ts"
import { Journal } from "./Journal.ts"
import { RunQueue } from "./Mailbox.ts"
import { type ActorEntry, type ActorSnapshot, Registry } from "./Registry.ts"
import { isInState, type StateValue } from "./stateText.ts"
import type { SupervisorRef } from "./Supervisor.ts"

export interface ActorSystemOptions {
  /** Default: 4 MiB. */
  readonly journalBytes?: number
  /** How many events may wait for a machine whose spec does not say. Default: 1,024. */
  readonly mailbox?: number
}

/** What supervisors and machines need of the system. */
export interface Host {
  readonly registry: Registry
  readonly mailbox: number
  /** Epoch milliseconds, to be shown. People and programs set that clock, so nothing is measured by it. */
  readonly now: () => number
  /** Milliseconds from some point on: for windows and deadlines. */
  readonly elapsed: () => number
  /** Starts an Effect at once, on the system's clock. */
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  readonly runQueue: RunQueue
  readonly inspect: Inspect | undefined
  /** Where machines' `log` actions go. */
  readonly log: (...args: ReadonlyArray<unknown>) => void
  readonly note: (entry: ActorEntry, kind: JournalKind, detail?: string) => void
  readonly noteEvent: (entry: ActorEntry, kind: "event" | "mailboxFull", event: string) => void
}

const changesBuffer = 1024

export type When = string | ((state: StateValue, context: any) => boolean)

export class ActorSystem extends Context.Service<ActorSystem, {
  readonly send: (address: string, event: { readonly type: string }) => Effect.Effect<void, AddressGone | MailboxFull>
  readonly snapshot: (address: string) => Effect.Effect<ActorSnapshot, AddressGone>
  /** Depth first, parents before their children. */
  readonly tree: Effect.Effect<ReadonlyArray<ActorSnapshot>>
  /**
   * Waits until the actor is in a state ("online", "online.synced") or satisfies a predicate, across
   * restarts. Fails when the address is unknown, removed, or ended elsewhere. Has no timeout of its own.
   */
  readonly waitFor: (address: string, when: When) => Effect.Effect<ActorSnapshot, AddressGone>
  /** Each change of state or status at or below an address; the oldest of 1,024 go when the reader lags. */
  readonly changes: (prefix: string) => Stream.Stream<ActorSnapshot>
  readonly journal: Journal
  /** A running supervisor, to add and remove children. */
  readonly supervisor: (address: string) => Effect.Effect<SupervisorRef, AddressGone>
  readonly host: Host
}>()("gstacks/actors/ActorSystem") {
  static readonly layerWith = (options: ActorSystemOptions): Layer.Layer<ActorSystem> =>
    Layer.effect(ActorSystem, make(options))
  static readonly layer: Layer.Layer<ActorSystem> = Layer.suspend(() => ActorSystem.layerWith({}))
}

const make = Effect.fnUntraced(function*(options: ActorSystemOptions) {
  const clock = yield* Clock.Clock
  const context = yield* Effect.context<never>()
  const registry = new Registry()
  const journal = new Journal(options.journalBytes ?? 4 * 1024 * 1024)
  const now = () => clock.currentTimeMillisUnsafe()

  const find = (address: string): Effect.Effect<ActorEntry, AddressGone> =>
    Effect.suspend(() => {
      const entry = registry.get(address)
      return entry === undefined ? new AddressGone({ address, reason: "unknown" }) : Effect.succeed(entry)
    })

  const fork = Effect.runForkWith(context)
  const host: Host = {
    registry,
    mailbox: options.mailbox ?? 1024,
    now,
    elapsed: () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6,
    fork,
    runQueue: new RunQueue(fork, (error) => fork(Effect.logError("an actor's turn failed outside of the actor", errorDetail(error)))),
    inspect: yield* Inspector,
    log: (...args) => fork(Effect.logDebug(...args)),
    note: (entry, kind, detail) => journal.append(now(), entry.address, kind, null, null, entry.state === "" ? null : entry.state, detail ?? null),
    noteEvent: (entry, kind, event) => {
      journal.append(now(), entry.address, kind, event, entry.noted, entry.state, null)
      entry.noted = entry.state
    }
  }

  return ActorSystem.of({
    send: (address, event) =>
      Effect.flatMap(find(address), (entry): Effect.Effect<void, AddressGone | MailboxFull> => {
        const inlet = entry.inlet
        if (inlet === undefined) {
          return new AddressGone({ address, reason: entry.gone })
        }
        return inlet.offer(event)
          ? Effect.void
          : new MailboxFull({ address, capacity: inlet.capacity, event: event.type })
      }),
    snapshot: (address) => Effect.map(find(address), (entry) => entry.snapshot()),
    tree: Effect.sync(() => registry.entries().map((entry) => entry.snapshot())),
    waitFor: (address, when) => Effect.flatMap(find(address), (entry) => watch(entry, when)),
    changes: (prefix) =>
      Stream.callback<ActorSnapshot>((queue) =>
        Effect.acquireRelease(
          Effect.sync(() => registry.observe(prefix, (snapshot) => Queue.offerUnsafe(queue, snapshot))),
          (stop) => Effect.sync(stop)
        ), { bufferSize: changesBuffer, strategy: "sliding" }),
    journal,
    supervisor: (address) =>
      Effect.flatMap(find(address), (entry) =>
        entry.supervisor === undefined
          ? new AddressGone({ address, reason: entry.gone })
          : Effect.succeed(entry.supervisor)),
    host
  })
})

const watch = (entry: ActorEntry, when: When): Effect.Effect<ActorSnapshot, AddressGone> =>
  Effect.callback((resume) => {
    const matches = typeof when === "string" ? (value: StateValue) => isInState(value, when) : when
    const settle = (result: Effect.Effect<ActorSnapshot, AddressGone>) => {
      unwatch()
      resume(result)
    }
    const check = () => {
      try {
        if (entry.removed) return settle(new AddressGone({ address: entry.address, reason: "unknown" }))
        const value = entry.kind === "supervisor" ? entry.status : entry.value
        if (entry.status !== "restarting" && matches(value, entry.rawContext)) return settle(Effect.succeed(entry.snapshot()))
        if (entry.status === "ended") settle(new AddressGone({ address: entry.address, reason: "ended" }))
      } catch (error) {
        settle(Effect.die(error))
      }
    }
    const unwatch = entry.watch(check)
    check()
    return Effect.sync(unwatch)
  })
