/**
 * What of a machine survives a restart of its process. Each machine's file names it, with a version; files of earlier versions are
 * migrated, and what cannot be used is told apart: damaged, or of a newer program. Where it is kept is its process's business.
 */
import { Result, Schema } from "effect"

/** The state cannot be used; the message says why, without saying what is in it. */
export class StateUnusable extends Schema.TaggedError<StateUnusable>()("StateUnusable", {
  machine: Schema.String,
  reason: Schema.Literals(["newer", "damaged"]),
  message: Schema.String
}) {}

export interface DurableState<in out A> {
  /** The id of the machine that it belongs to. */
  readonly machine: string
  /** For people, who read it in logs and documents: what it is, and what follows when there is none. */
  readonly what: string
  readonly without: string
  readonly version: number
  /** One line, without its end. */
  readonly encode: (value: A) => string
  readonly decode: (text: string) => Result.Result<A, StateUnusable>
}

export interface DurableStateOptions<A, I> {
  readonly machine: string
  readonly what: string
  readonly without: string
  readonly schema: Schema.Codec<A, I>
  /**
   * From each version to the next, beginning with version 0: a file from before there were versions, as its JSON or, where it is
   * none, as its text. Their number is the present version. Old state comes unchecked: what a migration throws means "damaged".
   */
  readonly migrations: ReadonlyArray<(old: any) => unknown>
}

/** A migration for state that only had no version before. */
export const unchanged = (old: unknown): unknown => old

const Envelope = Schema.Struct({ machine: Schema.String, version: Schema.Int, state: Schema.Unknown })
const isEnvelope = Schema.is(Envelope)

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text.startsWith("{") ? undefined : text
  }
}

export const durableState = <A, I>({ machine, migrations, schema, what, without }: DurableStateOptions<A, I>): DurableState<A> => {
  const version = migrations.length
  const encode = Schema.encodeSync(schema)
  const decode = Schema.decodeUnknownResult(schema)
  const unusable = (reason: "newer" | "damaged", why: string) => Result.fail(new StateUnusable({ machine, reason, message: `the state of ${machine} cannot be used: ${why}` }))

  const migrated = (from: number, old: unknown): Result.Result<unknown, unknown> =>
    Result.try(() => migrations.slice(from).reduce((state, migrate) => migrate(state), old))

  return {
    machine, what, without, version,
    encode: (value) => JSON.stringify({ machine, version, state: encode(value) }),
    decode: (text) => {
      const parsed = parse(text)
      if (parsed === undefined) return unusable("damaged", "it is no whole JSON text")
      const found = isEnvelope(parsed) ? parsed : { machine, version: 0, state: parsed }
      if (found.machine !== machine) return unusable("damaged", "it is another machine's")
      if (found.version > version) return unusable("newer", `it has version ${found.version}, and this program knows up to ${version}`)
      const state = migrated(Math.max(0, found.version), found.state)
      const value = Result.isSuccess(state) ? decode(state.success) : Result.fail(undefined)
      return Result.isSuccess(value) ? Result.succeed(value.success) : unusable("damaged", `it is not what version ${found.version} was`)
    }
  }
}
