/**
 * How long ago the control plane was last heard from, across restarts of the agent. What it said is good for an age limit
 * after that; then nothing new is granted until it is heard from again.
 */
import { Clock, Context, Effect, Layer, Option, Schema, type Scope, Stream, SubscriptionRef } from "effect"
import { join } from "node:path"
import { Config } from "./Config.ts"
import { readJson, writeJson } from "./files.ts"
import { Knowledge } from "./Knowledge.ts"

/** What a time service may correct at once. */
const clockStepMs = 60_000

const File = Schema.Struct({ lastContact: Schema.Number })
interface Contact { readonly online: boolean; readonly last: number }

export class Freshness extends Context.Service<Freshness, {
  /** Holds for as long as the caller's scope: in touch now, and until its end. */
  readonly inTouch: Effect.Effect<void, never, Scope.Scope>
  readonly untilStale: Effect.Effect<void>
  readonly untilFresh: Effect.Effect<void>
}>()("gstacks/agent/Freshness") {
  static readonly layer = Layer.effect(Freshness, Effect.suspend(() => make()))
}

const make = Effect.fnUntraced(function*() {
  const config = yield* Config
  const knowledge = yield* Knowledge
  const path = join(config.stateDir, "contact.json")
  const saved = yield* readJson(path, File).pipe(Effect.catch((error) => Effect.as(Effect.logWarning(error.message), Option.none())))
  const contact = yield* SubscriptionRef.make<Contact>({ online: false, last: Option.match(saved, { onNone: () => 0, onSome: (file) => file.lastContact }) })
  const now = Clock.currentTimeMillis
  /** A last contact in the future means that the clock was set back: nobody knows how long ago it was. */
  const isStale = ({ online, last }: Contact, at: number) => !online && (at - last >= config.topologyMaxAgeMs || last - at > clockStepMs)

  const note = (online: boolean) => Effect.gen(function*() {
    const last = yield* now
    yield* SubscriptionRef.set(contact, { online, last })
    if (online) knowledge.stale = false
    yield* writeJson(path, File, { lastContact: last }).pipe(Effect.catch((error) => Effect.logWarning(error.message)))
  })

  knowledge.stale = isStale(yield* SubscriptionRef.get(contact), yield* now)

  const changes = SubscriptionRef.changes(contact)
  const untilStale: Effect.Effect<void> = Effect.gen(function*() {
    const current = yield* SubscriptionRef.get(contact)
    const at = yield* now
    if (isStale(current, at)) {
      knowledge.stale = true
      return
    }
    const changed = Effect.as(Stream.runDrain(Stream.take(Stream.drop(changes, 1), 1)), true)
    if (yield* current.online ? changed : Effect.raceFirst(changed, Effect.as(Effect.sleep(current.last + config.topologyMaxAgeMs - at), false))) return yield* untilStale
    knowledge.stale = true // the time has passed, whatever the clock says by now
  })

  return Freshness.of({
    inTouch: Effect.gen(function*() {
      yield* Effect.acquireRelease(note(true), () => note(false))
      yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep("1 minute"), note(true))))
    }),
    untilStale,
    untilFresh: Stream.runDrain(Stream.take(Stream.filter(changes, (current) => current.online), 1))
  })
})
