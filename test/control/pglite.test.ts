/** The in-process connector: many pooled connections over one PGlite must behave as over a server. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { PGlite } from "@electric-sql/pglite"
import { Deferred, Effect, Fiber } from "effect"
import { SqlClient } from "effect/sql"
import { once } from "node:events"
import type { Duplex } from "node:stream"
import { pgliteTemplate } from "../harness/pgliteTemplate.ts"
import { makePgliteConnector } from "../../src/control/sql/PgliteConnector.ts"

let db: PGlite
beforeAll(async () => {
  db = await PGlite.create({ dataDir: "memory://", loadDataDir: await pgliteTemplate() })
  await db.exec("create table things (id text primary key)")
}, 120_000)
afterAll(() => db.close())

/** A pool over the connector, and the streams it has opened. */
const withPool = <A, E>(use: (streams: ReadonlyArray<Duplex>) => Effect.Effect<A, E, SqlClient.SqlClient>, maxConnections = 4) => {
  const connect = makePgliteConnector(db)
  const streams: Array<Duplex> = []
  const stream = () => {
    const opened = connect()
    streams.push(opened)
    return opened
  }
  return Effect.suspend(() => use(streams)).pipe(
    Effect.provide(PgClient.layer({ username: "postgres", database: "postgres", maxConnections, stream })),
    Effect.timeout("20 seconds")
  )
}
const count = Effect.flatMap(SqlClient.SqlClient, (sql) => Effect.map(sql`select count(*)::int as n from things`, (rows) => rows[0]!["n"]))

describe("PgliteConnector", () => {
  it.live("twenty concurrent transactions: those that fail leave nothing, the others everything", () => withPool(() => Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    yield* sql`delete from things`
    yield* Effect.forEach(Array.from({ length: 20 }, (_, i) => i), (i) => sql.withTransaction(Effect.gen(function*() {
      yield* sql`insert into things values (${`t${i}`})`
      yield* Effect.yieldNow
      if (i % 2 === 1) return yield* Effect.fail("no")
    })).pipe(Effect.ignore), { concurrency: "unbounded" })
    assert.strictEqual(yield* count, 10)
  }), 10))

  it.live("a connection that is lost inside a transaction rolls it back and frees the backend", () => withPool((streams) => Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    yield* sql`delete from things`
    const inside = yield* Deferred.make<void>()
    const lost = yield* sql.withTransaction(Effect.gen(function*() {
      yield* sql`insert into things values ('lost')`
      yield* Deferred.succeed(inside, undefined)
      return yield* Effect.never
    })).pipe(Effect.forkChild)
    yield* Deferred.await(inside)
    for (const stream of streams) stream.destroy()
    yield* Fiber.interrupt(lost)
    assert.strictEqual(yield* count, 0)
  }), 1))

  it.live("a waiting connection that goes away does not become the owner", () => Effect.gen(function*() {
    const connect = makePgliteConnector(db)
    const startup = Buffer.concat([Buffer.from([0, 0, 0, 33, 0, 3, 0, 0]), Buffer.from("user\0postgres\0database\0p\0\0")])
    startup.writeInt32BE(startup.length)
    const query = (text: string) => {
      const body = Buffer.from(`${text}\0`)
      const head = Buffer.from([0x51, 0, 0, 0, 0])
      head.writeInt32BE(body.length + 4, 1)
      return Buffer.concat([head, body])
    }
    const open = () => {
      const stream = connect()
      stream.resume()
      return { stream, send: (message: Buffer) => Effect.callback<void>((resume) => { stream.write(message, () => resume(Effect.void)) }) }
    }
    const owner = open(), waiter = open(), next = open()
    yield* owner.send(startup)
    yield* owner.send(query("begin"))
    waiter.stream.write(startup)
    const third = yield* next.send(startup).pipe(Effect.forkChild)
    yield* Effect.yieldNow
    waiter.stream.destroy()
    yield* owner.send(query("rollback"))
    yield* Fiber.join(third).pipe(Effect.timeout("5 seconds"))
    owner.stream.destroy()
    next.stream.destroy()
  }))

  it.live("prepared statements go with the connection that made them", () => Effect.gen(function*() {
    const prepared = Effect.promise(async () => (await db.query<{ n: number }>("select count(*)::int as n from pg_prepared_statements")).rows[0]!.n)
    const before = yield* prepared
    let opened: ReadonlyArray<Duplex> = []
    yield* withPool((streams) => Effect.gen(function*() {
      opened = streams
      const sql = yield* SqlClient.SqlClient
      for (let i = 0; i < 5; i++) yield* sql`select ${i}::int as x`
      assert.isAbove(yield* prepared, before)
    }), 1)
    yield* Effect.forEach(opened, (stream) => Effect.promise(async () => { if (!stream.closed) await once(stream, "close") }))
    assert.strictEqual(yield* prepared, before)
  }))

  it.live("an interrupted query does not break the connections that come after it", () => withPool(() => Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    yield* Effect.forEach(Array.from({ length: 10 }, (_, i) => i), () => sql`select count(*) from generate_series(1, 20000)`.pipe(Effect.timeoutOption("1 millis")), { concurrency: 4 })
    assert.deepStrictEqual(yield* sql`select 1::int as one`, [{ one: 1 }])
  })))
})
