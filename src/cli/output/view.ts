/** Shows a result on stdout in the chosen format; notes (hints, receipts, progress) go to stderr. */
import { Effect } from "effect"
import { format, Quiet } from "../GlobalFlags.ts"
import { Shell } from "../Shell.ts"
import { type Columns, table } from "./table.ts"
import { yaml } from "./yaml.ts"

export interface View {
  /** What `json`, `jsonl` (one line an item of an array) and `yaml` show. */
  readonly document: unknown
  readonly table: () => string
  readonly names: () => ReadonlyArray<string>
}

export const show = (view: View) =>
  Effect.gen(function*() {
    const { out } = yield* Shell
    switch (yield* format) {
      case "json": return yield* out(JSON.stringify(view.document, null, 2) + "\n")
      case "jsonl": return yield* out((Array.isArray(view.document) ? view.document : [view.document]).map((item) => JSON.stringify(item) + "\n").join(""))
      case "yaml": return yield* out(yaml(view.document))
      case "name": return yield* out(view.names().map((name) => name + "\n").join(""))
      case "table": return yield* out(view.table())
    }
  })

/** A line on stderr, unless `--quiet`. */
export const note = (line: string) =>
  Effect.gen(function*() {
    if (yield* Quiet) return
    yield* (yield* Shell).err(line + "\n")
  })

/** How long to be quiet before saying what is waited for. */
export const patienceMs = 1_000

/** Says `line` on stderr when the work takes longer than a moment. */
export const patiently = (line: string) => <A, E, R>(work: Effect.Effect<A, E, R>) =>
  Effect.raceFirst(work, Effect.andThen(Effect.delay(note(line), patienceMs), Effect.never))

/** A list; when it is empty, the table gives way to a note with the command that makes the first one. */
export const showList = <A>(options: {
  readonly items: ReadonlyArray<A>
  readonly columns: Columns<A>
  readonly name: (item: A) => string
  readonly empty: string
  readonly next: string
}) =>
  Effect.gen(function*() {
    if (options.items.length === 0 && (yield* format) === "table") {
      yield* note(options.empty)
      return yield* note(`next: ${options.next}`)
    }
    yield* show({ document: options.items, table: () => table(options.columns, options.items), names: () => options.items.map(options.name) })
  })
