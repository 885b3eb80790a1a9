/**
 * Looking into the actors of this process: the tree, one actor with its chart, the journal. It reads what is there when asked, keeps
 * nothing for those who look, and shows only what each child's spec allows.
 */
import { Context, Effect, Layer, type Schema } from "effect"
import type { ActorDetail, ActorState, Chart, JournalPage } from "../../domain/Sight.ts"
import { acceptedEvents } from "../../domain/Sight/acceptedEvents.ts"
import { activePaths } from "../../domain/Sight/activePaths.ts"
import { JournalQuery, NoSuchActor, SightRpcs } from "../../protocol/sight/SightRpcs.ts"
import { ActorSystem } from "../runtime/ActorSystem.ts"
import { errorText } from "../runtime/errorText.ts"
import type { ActorEntry } from "../runtime/Registry.ts"
import { chartOnce } from "./chart.ts"
import { shown } from "./shown.ts"

type Query = Schema.Struct.Type<typeof JournalQuery>

export class Sight extends Context.Service<Sight, {
  readonly actors: Effect.Effect<ReadonlyArray<ActorState>>
  readonly actor: (address: string) => Effect.Effect<ActorDetail, NoSuchActor>
  /** Of every machine that runs here. */
  readonly charts: Effect.Effect<ReadonlyArray<Chart>>
  readonly journal: (query: Query) => Effect.Effect<JournalPage>
}>()("gstacks/actors/Sight") {
  static readonly layer: Layer.Layer<Sight, never, ActorSystem> = Layer.effect(Sight, Effect.suspend(() => make))
}

const historyLength = 50
const mostEntries = 1000
const longestWaitMs = 30_000

/** Some machines keep the reason of their trouble in their context. */
const troubleOf = ({ allow, lastError, rawContext }: ActorEntry): string | null => {
  const kept = allow.includes("lastError") ? rawContext["lastError"] : undefined
  return lastError ?? (typeof kept === "string" ? errorText(kept) : null)
}

const stateOf = (entry: ActorEntry): ActorState => ({
  address: entry.address,
  kind: entry.kind,
  machine: entry.machine,
  status: entry.status,
  state: entry.shownState,
  since: entry.since,
  restarts: entry.restarts,
  mailbox: entry.inlet?.size ?? 0,
  lastError: troubleOf(entry)
})

const make = Effect.gen(function*() {
  const { host: { registry }, journal } = yield* ActorSystem

  const detail = (entry: ActorEntry): ActorDetail => {
    const chart = entry.logic === undefined ? null : chartOnce(entry.logic)
    const active = chart === null || entry.status === "restarting" ? [] : activePaths(entry.state)
    const snapshot = entry.snapshot()
    return {
      actor: stateOf(entry),
      chart,
      active,
      accepts: chart === null || entry.inlet === undefined ? [] : acceptedEvents(chart, active),
      context: Object.fromEntries(Object.entries(snapshot.context).map(([key, value]) => [key, shown(value)])),
      output: snapshot.output === undefined ? null : shown(snapshot.output),
      history: journal.last(entry.address, historyLength)
    }
  }

  return Sight.of({
    actors: Effect.sync(() => registry.entries().map(stateOf)),
    actor: (address) =>
      Effect.suspend(() => {
        const entry = registry.get(address)
        return entry === undefined
          ? new NoSuchActor({ message: `No actor has the address "${address}" here.`, hint: "see which there are: gstacks debug actors" })
          : Effect.sync(() => detail(entry))
      }),
    charts: Effect.sync(() => {
      const machines = registry.entries().flatMap(({ logic }) => logic === undefined ? [] : [logic])
      return [...new Map(machines.map((logic) => [logic.config, logic])).values()].map(chartOnce)
    }),
    journal: ({ after, instance, limit = mostEntries, prefix = "", waitMs = 0 }) =>
      journal.pageSoon({ after, instance, limit: Math.max(1, Math.min(limit, mostEntries)), prefix }, Math.min(waitMs, longestWaitMs))
  })
})

/** Answers `SightRpcs`, wherever the group is served. */
export const sightHandlers = SightRpcs.toLayer(Effect.map(Sight, (sight) => SightRpcs.of({
  Actors: () => sight.actors,
  Actor: ({ address }) => sight.actor(address),
  Charts: () => sight.charts,
  Journal: (query) => sight.journal(query)
})))
