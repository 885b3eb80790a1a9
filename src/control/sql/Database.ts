/**
 * The control plane's database: an embedded PGlite in the state directory, or PostgreSQL by URL. Same SQL, same driver, same
 * migrations. Results come back in camelCase.
 */
import { NodeServices } from "@effect/platform-node"
import { PgClient, PgMigrator } from "@effect/sql-pg"
import { PGlite } from "@electric-sql/pglite"
import { Effect, Layer, Redacted, String } from "effect"
import { join } from "node:path"
import type { Duplex } from "node:stream"
import { lockDirectory, using } from "./DataDirectory.ts"
import { migrations } from "./migrations/all.ts"
import { makeDataDirectory } from "./pgdata.ts"
import { makePgliteConnector } from "./PgliteConnector.ts"

export type DatabaseSource =
  | { readonly _tag: "Embedded"; readonly directory: string; /** A data directory to copy when there is none yet. */ readonly template?: string }
  /** For tests: gone with the process. `template`: a dumped data directory to start from. */
  | { readonly _tag: "Memory"; readonly template?: Blob }
  | { readonly _tag: "Url"; readonly url: Redacted.Redacted }

const names = { transformResultNames: String.snakeToCamel, transformJson: false }

/** A client of the database behind these connections, which has no address. */
export const inProcess = (connect: () => Duplex) => PgClient.layer({ ...names, username: "postgres", database: "postgres", maxConnections: 4, stream: connect })

const openDirectory = (directory: string, template: string | undefined) => using(directory, async () => {
  const data = join(directory, "pgdata")
  await makeDataDirectory(data, template)
  return PGlite.create(data)
})

const embedded = (source: Exclude<DatabaseSource, { readonly _tag: "Url" }>) => Layer.unwrap(Effect.gen(function*() {
  if (source._tag === "Embedded") yield* lockDirectory(source.directory)
  const db = yield* Effect.acquireRelease(
    source._tag === "Embedded"
      ? openDirectory(source.directory, source.template)
      : Effect.promise(() => PGlite.create({ dataDir: "memory://", ...(source.template === undefined ? {} : { loadDataDir: source.template }) })),
    (db) => Effect.promise(() => db.close())
  )
  return inProcess(makePgliteConnector(db))
}))

const migrate = PgMigrator.layer({ table: "migrations", loader: PgMigrator.fromRecord(migrations) }).pipe(Layer.provide(NodeServices.layer))

export const layer = (source: DatabaseSource) => {
  const client = source._tag === "Url"
    ? PgClient.layer({ ...names, url: source.url, maxConnections: 10, applicationName: "gstacks" })
    : embedded(source)
  return Layer.provideMerge(migrate, client)
}
