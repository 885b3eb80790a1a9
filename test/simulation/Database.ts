/**
 * The control plane's database: the real SQL on one PGlite in memory, emptied for each run. It survives the control plane's
 * process; a statement that is under way when that ends is rolled back or committed, and nobody is told which. It can be slow, and
 * away (as when its disk is full: PostgreSQL then ends itself).
 */
import { PGlite } from "@electric-sql/pglite"
import { Effect } from "effect"
import type { Duplex } from "node:stream"
import * as Sql from "../../src/control/sql/Database.ts"
import { migrations } from "../../src/control/sql/migrations/all.ts"
import { type Backing, makePgliteConnector } from "../../src/control/sql/PgliteConnector.ts"
import { pgliteTemplate } from "../harness/pgliteTemplate.ts"
import type { Time } from "./Time.ts"

/** One for all runs of this process: to make one takes longer than a run. */
let started: Promise<PGlite> | undefined
let tables = ""

const start = async (): Promise<PGlite> => {
  const db = await PGlite.create({ dataDir: "memory://", loadDataDir: await pgliteTemplate() })
  await Effect.runPromise(Effect.forEach(Object.values(migrations), (migration) => migration, { discard: true }).pipe(Effect.provide(Sql.inProcess(makePgliteConnector(db)))))
  const { rows } = await db.query<{ name: string }>("select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1")
  tables = rows.map((row) => row.name).join(", ")
  return db
}

export const closeDatabase = async (): Promise<void> => {
  await (await started)?.close()
  started = undefined
}

export class SimulatedDatabase {
  /** Milliseconds that each message to it takes. */
  slowness = 0
  isAway = false
  readonly #backing: Backing
  readonly #db: PGlite
  readonly #streams = new Set<Duplex>()

  static async empty(time: Time): Promise<SimulatedDatabase> {
    const db = await (started ??= start())
    await db.exec(`truncate ${tables} restart identity`)
    return new SimulatedDatabase(time, db)
  }

  private constructor(time: Time, db: PGlite) {
    this.#db = db
    this.#backing = {
      runExclusive: (run) => this.slowness === 0 ? db.runExclusive(run)
        : new Promise<void>((go) => { time.after(this.slowness, go) }).then(() => db.runExclusive(run)),
      execProtocolRawStream: (message, options) => db.execProtocolRawStream(message, options),
      exec: (text, options) => db.exec(text, options),
      get closed() { return db.closed }
    }
  }

  /** Connections of one life of the control plane. */
  connections() {
    const connect = makePgliteConnector(this.#backing)
    let isOpen = true
    const streams = this.#streams
    return {
      client: Sql.inProcess(() => {
        const stream = connect()
        if (isOpen && !this.isAway) {
          streams.add(stream)
          stream.once("close", () => streams.delete(stream))
        } else stream.destroy(new Error("the database does not answer"))
        return stream
      }),
      cut: () => {
        isOpen = false
        this.cut()
      }
    }
  }

  /** Every connection breaks. */
  cut(): void { for (const stream of this.#streams) stream.destroy(new Error("the database ended the connection")) }

  /** For those who look on from outside. */
  async read<Row>(query: string): Promise<ReadonlyArray<Row>> { return (await this.#db.query<Row>(query)).rows }
}
