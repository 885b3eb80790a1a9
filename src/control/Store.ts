/** What services share when they talk to the database: what a failure of it means to a caller, how times travel, and the clock. */
import { Clock, Effect, Schema, SchemaGetter } from "effect"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import { StoreUnavailable } from "../domain/Problems.ts"

/** A `timestamptz` column as the ISO 8601 text that the API shows. */
export const Time = Schema.Date.pipe(Schema.decodeTo(Schema.String, {
  decode: SchemaGetter.transform((date: Date) => date.toISOString()),
  encode: SchemaGetter.transform((text: string) => new Date(text))
}))

export const now: Effect.Effect<Date> = Effect.map(Clock.currentTimeMillis, (millis) => new Date(millis))

/** Wrong statements, broken constraints and rows that do not decode are our defects; the rest is the database's weather. */
const isDefect = (error: SqlError): boolean => ["SqlSyntaxError", "ConstraintError", "UniqueViolation"].includes(error.reason._tag)

/** The database took back one of two transactions that stood in each other's way: it is tried again, as that is meant. */
const isCollision = (error: unknown): boolean => isSqlError(error) && ["DeadlockError", "SerializationError"].includes(error.reason._tag)

/** Such a failure may have come after the commit: then what was asked for is stored, and nobody was told. */
export const leavesInDoubt = (error: unknown): boolean => isSqlError(error) && !isCollision(error)

/** Makes database failures the one problem that callers know. */
export const stored = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, Exclude<E, SqlError | Schema.SchemaError> | StoreUnavailable, R> =>
  Effect.catch(Effect.retry(effect, { while: isCollision, times: 5 }), (error): Effect.Effect<never, Exclude<E, SqlError | Schema.SchemaError> | StoreUnavailable> => {
    if (Schema.isSchemaError(error)) return Effect.die(error)
    if (!isSqlError(error)) return Effect.fail(error as Exclude<E, SqlError | Schema.SchemaError>)
    if (isDefect(error)) return Effect.die(error)
    return Effect.andThen(
      Effect.logWarning("The database failed.", error),
      new StoreUnavailable({
        detail: `The control plane's database does not answer (${error.reason._tag}).`,
        hint: "Try again; an operator finds the cause in the control plane's log."
      })
    )
  })

/** Decodes the rows of a statement. */
export const rows = <S extends Schema.Codec<unknown, unknown>>(schema: S) => {
  const decode = Schema.decodeUnknownEffect(Schema.Array(schema))
  return <E, R>(statement: Effect.Effect<ReadonlyArray<unknown>, E, R>): Effect.Effect<ReadonlyArray<S["Type"]>, E | Schema.SchemaError, R> =>
    Effect.flatMap(statement, decode)
}
