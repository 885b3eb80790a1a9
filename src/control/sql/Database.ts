/**
 * The control plane's database: an embedded PGlite in the state directory, or PostgreSQL by URL. Same SQL, same driver, same
 * migrations. Results come back in camelCase.
 */
import { NodeServices } from "@effect/platform-node"
import { PgClient, PgMigrator } from "@effect/sql-pg"
import { PGlite } from "@electric-sql/pglite"
import { Effect, Layer, Redacted, String } from "effect"
import { join } from "node:path"
import { lockDirectory } from "./DataDirectory.ts"
import { migrations } from "./migrations/all.ts"
import { makePgliteConnector } from "./PgliteConnector.ts"

export type DatabaseSource =
  | { readonly _tag: "Embedded"; readonly directory: string }
  | { readonly _tag: "Memory" }
  | { readonly _tag: "Url"; readonly url: Redacted.Redacted }

const names = { transformResultNames: String.snakeToCamel, transformJson: false }

const embedded = (directory: string | undefined) => Layer.unwrap(Effect.gen(function*() {
  if (directory !== undefined) yield* lockDirectory(directory)
  const db = yield* Effect.acquireRelease(
    Effect.promise(() => PGlite.create(directory === undefined ? "memory://" : join(directory, "pgdata"))),
    (db) => Effect.promise(() => db.close())
  )
  return PgClient.layer({ ...names, username: "postgres", database: "postgres", maxConnections: 4, stream: makePgliteConnector(db) })
}))

const migrate = PgMigrator.layer({ table: "migrations", loader: PgMigrator.fromRecord(migrations) }).pipe(Layer.provide(NodeServices.layer))

export const layer = (source: DatabaseSource) => {
  const client = source._tag === "Url"
    ? PgClient.layer({ ...names, url: source.url, maxConnections: 10, applicationName: "gstacks" })
    : embedded(source._tag === "Embedded" ? source.directory : undefined)
  return Layer.provideMerge(migrate, client)
}
