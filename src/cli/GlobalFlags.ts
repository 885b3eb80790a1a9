/** Flags that every command takes, wherever they stand on the line before `--`. */
import { Effect } from "effect"
import { CliError, Flag, GlobalFlag } from "effect/cli"

export const formats = ["table", "json", "jsonl", "yaml", "name"] as const
export type Format = typeof formats[number]

const Output = GlobalFlag.Setting("output")({
  flag: Flag.Literals("output", formats).pipe(
    Flag.withAlias("o"), Flag.withDescription("Output format, default table"), Flag.withMetavar(`<${formats.join("|")}>`), Flag.withDefault("table")
  )
})
const Json = GlobalFlag.Setting("json")({
  flag: Flag.Boolean("json").pipe(Flag.withDescription("Same as -o json"), Flag.withoutNegation, Flag.withDefault(false))
})
export const ContextName = GlobalFlag.Setting("context")({
  flag: Flag.String("context").pipe(Flag.withDescription("Context to use (env GSTACKS_CONTEXT)"), Flag.withMetavar("<name>"), Flag.optional)
})
export const Url = GlobalFlag.Setting("url")({
  flag: Flag.String("url").pipe(Flag.withDescription("Control plane, http(s)://... or unix:/path (env GSTACKS_URL)"), Flag.withMetavar("<url>"), Flag.optional)
})
export const Token = GlobalFlag.Setting("token")({
  flag: Flag.String("token").pipe(Flag.withDescription("User token; prefer env GSTACKS_TOKEN or gstacks login"), Flag.withMetavar("<token>"), Flag.optional)
})
export const Wait = GlobalFlag.Setting("wait")({
  flag: Flag.Literals("wait", ["stored", "applied", "ready"]).pipe(
    Flag.withDescription("What to wait for after a change: applied by every agent (default), or also ready, which adds the mesh"), Flag.withMetavar("<stored|applied|ready>"), Flag.withDefault("applied")
  )
})

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `500ms`, `30s`, `2m`, `2h`, `7d`; a bare number is seconds. */
export const parseDuration = (text: string): number | undefined => {
  const match = /^(\d{1,6})(ms|s|m|h|d)?$/.exec(text)
  return match === null ? undefined : Number(match[1]) * units[match[2] ?? "s"]!
}

/** In milliseconds. */
export const Timeout = GlobalFlag.Setting("timeout")({
  flag: Flag.String("timeout").pipe(
    Flag.withDescription("How long to wait, like 500ms, 30s (default) or 2m"), Flag.withMetavar("<duration>"), Flag.withDefault("30s"),
    Flag.mapEffect((value) => {
      const ms = parseDuration(value)
      return ms === undefined
        ? Effect.fail(new CliError.InvalidValue({ option: "timeout", value, expected: "a duration like 500ms, 30s or 2m", kind: "flag" }))
        : Effect.succeed(ms)
    })
  )
})
export const Yes = GlobalFlag.Setting("yes")({
  flag: Flag.Boolean("yes").pipe(Flag.withAlias("y"), Flag.withDescription("Do not ask before something is removed"), Flag.withoutNegation, Flag.withDefault(false))
})
export const Quiet = GlobalFlag.Setting("quiet")({
  flag: Flag.Boolean("quiet").pipe(Flag.withAlias("q"), Flag.withDescription("No receipts, hints or progress on stderr; errors stay"), Flag.withoutNegation, Flag.withDefault(false))
})

export const globalFlags = [Output, Json, ContextName, Url, Token, Wait, Timeout, Yes, Quiet] as const
export type GlobalFlags = GlobalFlag.Setting.Identifier<"output" | "json" | "context" | "url" | "token" | "wait" | "timeout" | "yes" | "quiet">

export const format: Effect.Effect<Format, never, GlobalFlags> = Effect.gen(function*() {
  return (yield* Json) ? "json" : yield* Output
})

/** The same, read from the words alone: for errors that come before the words are understood. */
export const wantsJson = (args: ReadonlyArray<string>): boolean => {
  const end = args.indexOf("--")
  const own = end < 0 ? args : args.slice(0, end)
  return own.some((word, i) =>
    word === "--json" || word === "--output=json" || word === "-o=json" || (word === "json" && (own[i - 1] === "-o" || own[i - 1] === "--output"))
  )
}
