/**
 * What is new about networks, for rollouts and receipts: a version was committed, an agent applied one. News of this process is
 * heard at once; with PostgreSQL that of other replicas follows through LISTEN. It only says where to look: the database is the
 * truth, so doubled news does no harm, and after a broken LISTEN connection, or a commit that nobody knows of, `Missed` tells everyone to look at everything.
 */
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Latch, Layer, PubSub, Queue, Schedule, Schema, type Scope } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import { AgentId, NetworkId } from "../domain/Ids.ts"
import { CommitTimes } from "./CommitTimes.ts"
import type { DatabaseSource } from "./sql/Database.ts"

const channel = "gstacks_news"

/** `at`: milliseconds since the epoch. */
const Item = Schema.Union([
  Schema.TaggedStruct("Committed", { networkId: NetworkId, version: Schema.Int, at: Schema.Number, removed: Schema.Boolean }),
  Schema.TaggedStruct("Acknowledged", { networkId: NetworkId, version: Schema.Int, at: Schema.Number, agentId: AgentId })
])
export type NewsItem = typeof Item.Type | { readonly _tag: "Missed" }

const Notice = Schema.fromJsonString(Schema.Struct({ origin: Schema.String, item: Item }))

const make = Effect.fnUntraced(function*(source: DatabaseSource) {
  const sql = yield* PgClient.PgClient
  const origin = globalThis.crypto.randomUUID()
  const pubsub = yield* Effect.acquireRelease(PubSub.unbounded<NewsItem>(), PubSub.shutdown)

  const times = new CommitTimes()

  const publish = (item: NewsItem) => Effect.suspend(() => {
    if (item._tag === "Committed") times.committed(item.networkId, item.version, item.at)
    if (item._tag === "Acknowledged") times.applied(item.networkId, item.version, item.agentId, item.at)
    return Effect.asVoid(PubSub.publish(pubsub, item))
  })

  const hearOthers = Effect.gen(function*() {
    const notices = yield* sql.listen(channel)
    yield* publish({ _tag: "Missed" })
    return yield* Effect.forever(Effect.gen(function*() {
      const { payload } = yield* Queue.take(notices)
      const notice = yield* Schema.decodeUnknownEffect(Notice)(payload)
      if (notice.origin !== origin) yield* publish(notice.item)
    }))
  }).pipe(
    Effect.scoped,
    Effect.tapError((error) => Effect.logWarning("Lost the news of other replicas; listening again.", error)),
    Effect.retry(Schedule.spaced("1 second"))
  )
  const replicated = source._tag === "Url"
  if (replicated) yield* Effect.forkScoped(hearOthers)

  const doubt = Latch.makeUnsafe()
  const answers = Effect.retry(sql`select 1`, Schedule.spaced("1 second"))
  yield* Effect.forkScoped(Effect.forever(doubt.await.pipe(Effect.andThen(doubt.close), Effect.andThen(answers), Effect.andThen(publish({ _tag: "Missed" })))))

  return {
    /** A change may have been stored without being told: everyone looks, once the database answers. */
    doubt: Effect.asVoid(doubt.open),
    /** Tells everyone; inside a transaction once, and only when, it has been committed. */
    tell: (item: typeof Item.Type): Effect.Effect<void, SqlError> => Effect.gen(function*() {
      // Not with `sql.notify`: that takes another connection, and would tell before the transaction is committed.
      if (replicated) yield* sql`select pg_notify(${channel}, ${yield* Effect.orDie(Schema.encodeEffect(Notice)({ origin, item }))})`
      yield* sql.afterCommit(publish(item))
    }),
    /** Before an acknowledgement is stored, so that whoever finds it there finds its time too. */
    acknowledging: (item: Extract<typeof Item.Type, { readonly _tag: "Acknowledged" }>) =>
      Effect.sync(() => times.applied(item.networkId, item.version, item.agentId, item.at)),
    /** `null` when this process did not hear of it, or has forgotten. */
    committedAt: (network: NetworkId, version: number) => times.committedAt(network, version),
    elapsedMs: (network: NetworkId, version: number, until?: number) => times.elapsedMs(network, version, until),
    /** Everything from now on, until the scope closes. */
    hear: PubSub.subscribe(pubsub) as Effect.Effect<PubSub.Subscription<NewsItem>, never, Scope.Scope>
  }
})

export class News extends Context.Service<News, Effect.Success<ReturnType<typeof make>>>()("gstacks/control/News") {
  static readonly layer = (source: DatabaseSource) => Layer.effect(News, make(source))
}
