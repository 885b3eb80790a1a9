/** Help pages: what it does, how it is typed, then commands, arguments, flags, examples. Headings are bold on a terminal. */
import { Option } from "effect"
import type { HelpDoc } from "effect/cli"

type Row = readonly [left: string, right: string]

const rows = (all: ReadonlyArray<Row>): string => {
  const width = Math.max(...all.map(([left]) => left.length))
  return all.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`.trimEnd() + "\n").join("")
}

/** effect/cli adds them to the description; ours are in the flag's form, `--wait <stored|applied>`. */
const listedChoices = / \(choices: .*\)$/

export const flagRows = (flags: ReadonlyArray<HelpDoc.FlagDoc>): ReadonlyArray<Row> =>
  flags.map((flag): Row => [
    [...flag.aliases, `--${flag.name}`].join(", ") + (flag.type === "boolean" ? "" : ` ${flag.type}`),
    Option.getOrElse(flag.description, () => "").replace(listedChoices, "") + (flag.required ? " (needed)" : "")
  ])

/** A program's words stand after `--`. */
const argument = ({ name, required, variadic }: HelpDoc.ArgDoc): string => {
  if (variadic) return `-- <${name}...>`
  return required ? `<${name}>` : `[<${name}>]`
}

export const usageOf = (doc: HelpDoc.HelpDoc): string => {
  const path = doc.commandPath ?? ["gstacks"]
  const words = doc.subcommands === undefined ? (doc.args ?? []).map(argument) : ["<command>"]
  return [...path, ...words.filter((w) => !w.startsWith("--")), ...(doc.flags.length > 0 ? ["[flags]"] : []), ...words.filter((w) => w.startsWith("--"))].join(" ")
}

export const helpPage = (doc: HelpDoc.HelpDoc, strong: (text: string) => string): string => {
  const sections: Array<string> = [`${doc.description}\n`, `${strong("Usage:")} ${usageOf(doc)}\n`]
  const section = (title: string, all: ReadonlyArray<Row>) => {
    if (all.length > 0) sections.push(`${strong(`${title}:`)}\n${rows(all)}`)
  }
  for (const { group, commands } of doc.subcommands ?? []) section(group ?? "Commands", commands.map((c): Row => [c.name, c.description]))
  section("Arguments", (doc.args ?? []).map((arg): Row => [arg.name, Option.getOrElse(arg.description, () => "")]))
  section("Flags", flagRows(doc.flags))
  section("Examples", (doc.examples ?? []).map(({ command }): Row => [command, ""]))
  const isRoot = (doc.commandPath?.length ?? 1) === 1
  if (isRoot) section("Flags that every command takes", flagRows(doc.globalFlags ?? []))
  else sections.push(`Flags that every command takes: gstacks --help\n`)
  return sections.join("\n")
}
